"""What processing elements of integers share: the sums of a cell over a segment, and the finish station.

Their arithmetic is `dyad.models.pe.integer`. A processing element adds how its cell multiplies.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring

from ...models.formats import scalar
from ...models.pe.fixed import fixed_point
from ...models.pe.integer import IntegerPE
from ..float import Add, unpack
from ..rounding import FP32, Round, delay
from .integer_operands import PrepareColumn, PrepareRow, sums
from .segments import accumulate
from .stations import Stations, dot_ports, finish_ports
from .sums import Term, add_up, offset


class Cell(NamedTuple):
    """How the cells of a processing element multiply.

    Attributes
    ----------
    row : bits of the operand of a row.
    terms : given the operands of row and column and the mode: numbers that sum to the products of all lanes.
    idle : plane of a weight with which, and activations of 0, all of them are 0 and no carry is set.
    weight_bits : bits of a lane of the column's operand; 0 if they are the plane that came in.
    """

    row: int
    terms: Callable[[Value, Value, Value], list[Term]]
    idle: int = 0
    weight_bits: int = 0

    def column(self, pe: IntegerPE) -> int:
        """Return the bits of the operand of a column."""
        return (self.weight_bits or pe.plane_bits) * pe.lanes

    def offset(self, pe: IntegerPE) -> int:
        """Return what is added to the sum of one plane, because signs are left out of it."""
        return offset(self.terms(Signal(self.row), Signal(self.column(pe)), Signal(4)))


def lanewise(
    pe: IntegerPE, terms: Callable[[Value, Value, Value], list[Term]], idle: int = 0, weight_bits: int = 0
) -> Cell:
    """Return the cell that multiplies by `terms` in each lane, of a signed activation, a plane and the mode."""
    bits, weight = fixed_point(pe.activation).bits, weight_bits or pe.plane_bits

    def of_all(row: Value, column: Value, mode: Value) -> list[Term]:
        return [
            term
            for lane in range(pe.lanes)
            for term in terms(row.word_select(lane, bits).as_signed(), column.word_select(lane, weight), mode)
        ]

    return Cell(bits * pe.lanes, of_all, idle, weight_bits)


def stations(pe: IntegerPE, cell: Cell) -> Stations:
    """Return the constructors of the stations of `pe`."""
    return Stations(
        PrepareRow=partial(PrepareRow, pe),
        PrepareColumn=partial(PrepareColumn, pe, cell.idle),
        Dot=partial(Dot, pe, cell),
        Finish=partial(Finish, pe, cell),
        result=signed(pe.accumulator_bits),
        sum=sums(pe),
    )


def is_signed(pe: IntegerPE, mode: Value) -> Value:
    """Return whether the weights of a mode have a sign."""
    return Array(int(scalar(each.weight).signed) for each in pe.modes)[mode]


class Dot(wiring.Component):
    """A cell: `lanes` products of activations and a plane of their weights each cycle, summed over a segment.

    Parameters
    ----------
    pe : description of the processing element.
    cell : how it multiplies.

    Ports
    -----
    step : in, `STEP`, with its rules.
    row : in, bits of the row's operand; that of zeros in cycles without operands.
    column : in, the column's operand: one plane of each weight, lane by lane; the idle plane in cycles without
        operands.
    result : out, signed `accumulator_bits`; sum of the last segment that ended, with the cell's offset for each plane
        in its place. Sums wrap.
    """

    def __init__(self, pe: IntegerPE, cell: Cell) -> None:
        self._pe, self._cell = pe, cell
        super().__init__(dot_ports(cell.row, cell.column(pe), signed(pe.accumulator_bits)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self._pe
        total = add_up(m, self._cell.terms(self.row, self.column, self.step.mode), self.step.valid)
        product = Signal(len(total.number), reset_less=True)
        carry = Signal(reset_less=True)
        m.d.sync += [product.eq(total.number), carry.eq(total.carry)]
        plane = delay(m, self.step.plane, pe.dot_latency - 1)
        # (product + carry) << places is the product with carries in those places, and one more in the lowest.
        places = (pe.plane_bits * plane for plane in range(max(mode.interval for mode in pe.modes)))
        shifted = Array(Cat(carry.replicate(each), product) for each in places)[plane]
        accumulate(m, pe, self.step, shifted, self.result, carry)
        return m


class Finish(wiring.Component):
    """Corrects a cell's sum by the zero point, scales it and adds it to a total, with `latency` cycles and interval 1.

    With `pe.integers` it scales nothing, and takes as long as the description says.

    A cell sums a (2^shift q + offset), for an offset that depends on the mode, and the cell's own offset in each step;
    both are taken back here.

    Parameters
    ----------
    pe : description of the processing element.
    cell : how its cells multiply.

    Ports
    -----
    mode : in, 4; of the segment.
    accumulator : in, signed `accumulator_bits`; result of a cell.
    activation_sum : in, `sums(pe)`; those of its row.
    zero_point : in, signed 9; z, within the range of the weights' format.
    scale : in, 16; s, a finite fp16 that is not negative.
    scaled : in, 1; whether totals are float32, else int32; with `pe.integers` it has to be 0.
    base : in, 32; the total before: bits of an int32 or of a finite float32.
    total : out, 32, `latency` cycles later; base + I or f32(base + f32(s * I)) with
        I = (accumulator - own offsets - (2^shift z + offset) * total) / 2^shift.
    """

    latency = 2 + Round.latency + Add.latency

    def __init__(self, pe: IntegerPE, cell: Cell) -> None:
        self._pe, self._cell = pe, cell
        super().__init__(finish_ports(signed(pe.accumulator_bits), self.sums(pe)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self._pe
        # |a (q - z)| is at most twice the largest |a q|, so that the corrected sum takes one bit more.
        width = pe.accumulator_bits + 1
        corrected = Signal(signed(width))
        m.d.sync += corrected.eq(self.corrected())
        if pe.integers:
            m.d.sync += self.total.eq(delay(m, self.base, 1) + corrected)
            return m
        scale, scaled, base = (delay(m, port, 1) for port in (self.scale, self.scaled, self.base))

        m.submodules.round = round = Round(max(width + 11, 25))
        significand, exponent = unpack(scale, precision=11, bias=15)
        m.d.comb += round.format.eq(FP32)
        m.d.sync += [
            round.sign.eq(corrected[-1]),
            round.magnitude.eq(abs(corrected) * significand),
            round.exponent.eq(exponent + fixed_point(pe.activation).exponent),
        ]

        carried = Signal(32)
        m.d.sync += carried.eq(base + Mux(scaled, 0, corrected))
        scaled = delay(m, scaled, 1)
        carried, scaled = delay(m, carried, Round.latency), delay(m, scaled, Round.latency)

        m.submodules.add = add = Add()
        m.d.comb += [
            add.a.eq(carried),
            add.b.eq(round.value),
            self.total.eq(Mux(delay(m, scaled, Add.latency), add.sum, delay(m, carried, Add.latency))),
        ]
        return m

    sums = staticmethod(sums)

    def corrected(self) -> Value:
        """Return the sum of products, less the zero point times the sum of activations."""
        pe = self._pe
        offset = Array(Const(pe.offset(mode), signed(10)) for mode in pe.modes)[self.mode]
        correction = ((self.zero_point << pe.shift) + offset) * self.activation_sum.total
        return (self.accumulated() - correction) >> pe.shift

    def accumulated(self) -> Value:
        """Return what a cell has summed, without its own offset."""
        pe, own = self._pe, self._cell.offset(self._pe)
        by_mode = [sum(own << pe.plane_bits * plane for plane in range(mode.interval)) for mode in pe.modes]
        offsets = Array(Const(each, pe.accumulator_bits) for each in by_mode)[self.mode] * self.activation_sum.steps
        return (self.accumulator - offsets)[: pe.accumulator_bits].as_signed()
