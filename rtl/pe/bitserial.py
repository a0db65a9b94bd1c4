"""Bit-serial products as a circuit (ABQ-LLM, arXiv 2408.08554): AND, count, shift, add. See `dyad.models.pe.bitserial`.

A row picks the plane of its activations for each cycle, and says where the counts of its cells belong: decoded, so that
no cell has to, and one cycle late, so that no cell has to hold it. It also sums its activations, as one more cell whose
weights are all 1.

With 16 lanes, 8 x 8 bits and registers before it, a cell is 3690 um2 and 4.6 ns in sky130_fd_sc_hd (Yosys 0.70 + ABC, 4
ns), of which 28 registers are its own. With places that are not decoded and the shift left to Yosys it is 3680 and 5.0,
though with 4 registers less before it; with the shift in the first cycle 3926 and 7.4; and with counts of a plane of
the weights summed first, in a register that doubles each cycle, 4320 and 5.1.
"""

from __future__ import annotations

from functools import partial

from amaranth.hdl import Array, Cat, Const, Module, Signal, Value, signed
from amaranth.lib import data, wiring

from ...models.formats import scalar
from ...models.pe import BitSerial
from ..rounding import delay
from ..shift import NEAR, by_lines
from . import integer, integer_operands
from .segments import hold
from .stations import Stations, dot_ports, row_ports


def stations(pe: BitSerial) -> Stations:
    """Return the constructors of the stations for a description."""
    cell = integer.Cell(operand(pe).size, lambda row, column, mode: [])
    return Stations(
        PrepareRow=partial(PrepareRow, pe),
        PrepareColumn=partial(integer_operands.PrepareColumn, pe, cell.idle),
        Dot=partial(Dot, pe),
        Finish=partial(Finish, pe, cell),
        result=signed(pe.accumulator_bits),
        sum=integer_operands.sums(pe),
    )


def operand(pe: BitSerial) -> data.StructLayout:
    """Return the layout of the operand of a row.

    bits : a plane of the activations of all lanes, zeros in cycles without operands.
    near, far : a line for each number of places less than `NEAR`, and for each multiple of it, by which the counts of
        the plane before have to be shifted; the shift is the sum of both. A single line does not matter.
    negative : whether they count negative.
    first, last : whether they are the first or the last of a segment.
    """
    places = pe.weight_bits + scalar(pe.activation).bits - 1
    return data.StructLayout(
        {"bits": pe.lanes, "near": min(places, NEAR), "far": -(-places // NEAR), "negative": 1, "first": 1, "last": 1}
    )


class PrepareRow(wiring.Component):
    """What the cells of a row share: a plane of the activations, the place of counts, and the sum over a segment.

    Parameters
    ----------
    pe : description of the processing element.

    Ports
    -----
    step : in, `STEP`, with its rules.
    activations : in, activation_bits * lanes; lane l at bit activation_bits * l.
    operand : out, bits of `operand(pe)`, `prepare_latency` cycles later.
    sum : out, `integer_operands.sums(pe)` of the last segment that ended, that of a cell with weights of 1.
    """

    def __init__(self, pe: BitSerial) -> None:
        self._pe = pe
        super().__init__(row_ports(pe, operand(pe).size, integer_operands.sums(pe)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, step = self._pe, self.step
        element = scalar(pe.activation)
        prepared = Signal(operand(pe))
        m.d.comb += self.operand.eq(prepared)
        lanes = [self.activations.word_select(lane, pe.activation_bits) for lane in range(pe.lanes)]
        m.d.sync += prepared.bits.eq(Cat(step.valid & lane[: element.bits].bit_select(step.phase, 1) for lane in lanes))
        place = Signal(4)
        m.d.comb += place.eq(step.plane + step.phase)
        control = Cat(
            *(place % NEAR == line for line in range(len(prepared.near))),
            *(place // NEAR == line for line in range(len(prepared.far))),
            step.valid & (step.phase == element.bits - 1) & element.signed,
            step.valid & step.first,
            step.valid & step.last,
        )
        late = Cat(prepared.near, prepared.far, prepared.negative, prepared.first, prepared.last)
        m.d.sync += late.eq(delay(m, control, 1))

        m.submodules.cell = cell = Dot(pe)
        ones = Signal()
        m.d.sync += ones.eq(step.plane == 0)
        m.d.comb += [
            cell.row.eq(self.operand),
            cell.column.eq(ones.replicate(pe.lanes)),
            self.sum.total.eq(cell.result),
        ]
        integer_operands.count(m, pe, step, {"steps": delay(m, step.phase == 0, pe.prepare_latency)}, self.sum)
        return m


class Dot(wiring.Component):
    """A cell: counts the lanes in which both planes have a 1 each cycle, and sums what the counts stand for.

    Parameters
    ----------
    pe : description of the processing element.

    Ports
    -----
    step : in, `STEP`; what matters of it comes with the row.
    row : in, bits of `operand(pe)`.
    column : in, lanes; a plane of the weights.
    result : out, signed `accumulator_bits`; sum of the last segment that ended. In place of -c it has the complement of
        each count c that is negative, so that it is too large by `most(lanes)` times its place for each. Sums wrap.
    """

    def __init__(self, pe: BitSerial) -> None:
        self._pe = pe
        super().__init__(dot_ports(operand(pe).size, pe.lanes, signed(pe.accumulator_bits)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, row = self._pe, data.View(operand(self._pe), self.row)
        count = Signal(range(pe.lanes + 1), reset_less=True)
        m.d.sync += count.eq(sum((row.bits & self.column)[lane] for lane in range(pe.lanes)))
        signed_count = Signal.like(count)
        m.d.comb += signed_count.eq(count ^ row.negative.replicate(len(count)))
        nearer = Signal(len(count) + len(row.near) - 1)
        m.d.comb += nearer.eq(by_lines(signed_count, row.near, 1))
        hold(m, row.first, row.last, by_lines(nearer, row.far, NEAR), self.result)
        return m


def most(lanes: int) -> int:
    """Return what a count of so many bits and its complement sum to."""
    return (1 << lanes.bit_length()) - 1


class Finish(integer.Finish):
    """The finish station of integers, which first takes from the sums of cell and row what complements added."""

    def corrected(self) -> Value:
        """Return the sum of products, less the zero point times the sum of activations."""
        pe, lanes = self._pe, self._pe.lanes
        element = scalar(pe.activation)
        widths = [scalar(mode.weight).bits for mode in pe.modes]
        excess = [most(lanes) * ((1 << bits) - 1) << element.bits - 1 if element.signed else 0 for bits in widths]
        offsets = Array(Const(each, pe.accumulator_bits) for each in excess)[self.mode] * self.activation_sum.steps
        sums, total = (
            (each - offsets)[: pe.accumulator_bits].as_signed()
            for each in (self.accumulator, self.activation_sum.total)
        )
        weights = Array(Const(pe.offset(mode), signed(10)) for mode in pe.modes)[self.mode]
        return sums - (self.zero_point + weights) * total
