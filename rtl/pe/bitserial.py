"""Bit-serial products as a circuit (ABQ-LLM, arXiv 2408.08554): AND, count, shift, add. See `dyad.models.pe.bitserial`.

A row picks the plane of its activations for each cycle, and says where the counts of its cells belong. It also sums its
activations, as one more cell whose weights are all 1.
"""

from __future__ import annotations

from functools import partial

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring

from ...models.formats import scalar
from ...models.pe import BitSerial
from ..rounding import delay
from . import integer
from .stations import STEP, Stations, dot_ports, row_ports


def stations(pe: BitSerial) -> Stations:
    """Return the constructors of the stations for a description."""
    cell = integer.Cell(operand(pe).size, lambda row, column, mode: [])
    return Stations(
        PrepareRow=partial(PrepareRow, pe),
        PrepareColumn=partial(integer.PrepareColumn, pe, cell),
        Dot=partial(Dot, pe),
        Finish=partial(Finish, pe, cell),
        result=signed(pe.accumulator_bits),
        sum=integer.sums(pe),
    )


def operand(pe: BitSerial) -> data.StructLayout:
    """Return the layout of the operand of a row.

    bits : a plane of the activations of all lanes, zeros in cycles without operands.
    place : what the counts of the plane before are shifted by.
    negative : whether they count negative.
    first, last : whether they are the first or the last of a segment.
    """
    return data.StructLayout({"bits": pe.lanes, "place": 4, "negative": 1, "first": 1, "last": 1})


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
    sum : out, `integer.sums(pe)` of the last segment that ended, that of a cell with weights of 1.
    """

    def __init__(self, pe: BitSerial) -> None:
        self._pe = pe
        super().__init__(row_ports(pe, operand(pe).size, integer.sums(pe)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, step = self._pe, self.step
        element = scalar(pe.activation)
        prepared = Signal(operand(pe))
        m.d.comb += self.operand.eq(prepared)
        lanes = [self.activations.word_select(lane, pe.activation_bits) for lane in range(pe.lanes)]
        m.d.sync += prepared.bits.eq(
            Cat(step.valid & lane[: element.bits].bit_select(step.phase, 1) for lane in lanes)
        )
        control = Cat(
            step.plane + step.phase,
            step.valid & (step.phase == element.bits - 1) & element.signed,
            step.valid & step.first,
            step.valid & step.last,
        )
        m.d.sync += Cat(prepared.place, prepared.negative, prepared.first, prepared.last).eq(delay(m, control, 1))

        m.submodules.cell = cell = Dot(pe)
        ones = Signal()
        m.d.sync += ones.eq(step.plane == 0)
        m.d.comb += [
            cell.row.eq(self.operand),
            cell.column.eq(ones.replicate(pe.lanes)),
            self.sum.total.eq(cell.result),
        ]
        integer.count(m, pe, step, {"steps": delay(m, step.phase == 0, pe.prepare_latency)}, self.sum)
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
        each count c that is negative, so that it is too large by `most(pe)` times its place for each. Sums wrap.
    """

    def __init__(self, pe: BitSerial) -> None:
        self._pe = pe
        super().__init__(dot_ports(operand(pe).size, pe.lanes, signed(pe.accumulator_bits)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, row = self._pe, data.View(operand(self._pe), self.row)
        count = Signal(range(pe.lanes + 1), reset_less=True)
        m.d.sync += count.eq(sum((row.bits & self.column)[lane] for lane in range(pe.lanes)))
        addend = (count ^ row.negative.replicate(len(count))) << row.place
        integer.hold(m, row.first, row.last, addend, self.result)
        return m


def most(pe: BitSerial) -> int:
    """Return what a count and its complement sum to."""
    return (1 << pe.lanes.bit_length()) - 1


class Finish(integer.Finish):
    """The finish station of integers, which first takes from the sums of cell and row what complements added."""

    def corrected(self) -> Value:
        """Return the sum of products, less the zero point times the sum of activations."""
        pe = self._pe
        element = scalar(pe.activation)
        widths = [scalar(mode.weight).bits for mode in pe.modes]
        excess = [most(pe) * ((1 << bits) - 1) << element.bits - 1 if element.signed else 0 for bits in widths]
        offsets = Array(Const(each, pe.accumulator_bits) for each in excess)[self.mode] * self.activation_sum.steps
        sums, total = (
            (each - offsets)[: pe.accumulator_bits].as_signed()
            for each in (self.accumulator, self.activation_sum.total)
        )
        weights = Array(Const(pe.offset(mode), signed(10)) for mode in pe.modes)[self.mode]
        return sums - (self.zero_point + weights) * total
