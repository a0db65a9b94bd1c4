"""LUT Tensor Core as a circuit (arXiv 2408.06003): tables by row, selections and negations by cell.

A cell reads one of the 8 entries of a table for each plane of the weights, complements it if the plane says so, and
adds what the complement lacks to a negative in the lowest place: nothing where the entry's odd bit, which tables leave
out, makes up for it. The arithmetic is `dyad.models.pe.lut`.

In the frame of `dyad.hw.synthesis.baselines`, four planes, 32 bits and sky130_fd_sc_hd (Yosys 0.70 + ABC, 4 ns), a
selection by a line for each entry comes to 4902 um2 and 5.2 ns; one by index, which Yosys makes a multiplexer of, to
5040 and 5.3, a tree of multiplexers of two to 5538 and 4.6, lines for two bits of the index and a multiplexer to 4971
and 5.1.
"""

from __future__ import annotations

from functools import partial

from amaranth.hdl import Array, Cat, Const, Module, Signal, Value, signed
from amaranth.lib import data

from ...models.formats import scalar
from ...models.pe import Lut
from ...models.pe.fixed import fixed_point
from ...models.pe.integer import IntegerPE
from ...models.pe.lut import minimum
from ...models.pe.quantized_tables import TABLE
from ..rounding import delay
from . import integer, integer_operands, quantized_tables
from .quantized_tables import less_zero_point, select, whole
from .stations import Stations
from .sums import Term


def stations(pe: Lut) -> Stations:
    """Return the constructors of the stations for a description."""
    if pe.table_bits:
        cell = integer.Cell(quantized_tables.tables(pe).size, partial(quantized_tables.terms, pe))
        return integer.stations(pe, cell)._replace(
            PrepareRow=partial(quantized_tables.PrepareRow, pe), Finish=partial(quantized_tables.Finish, pe, cell)
        )
    cell = integer.Cell(tables(pe).size, partial(terms, pe))
    return integer.stations(pe, cell)._replace(
        PrepareRow=partial(PrepareRow, pe),
        Finish=partial(Finish, pe, cell),
        sum=sums(pe),
    )


def tables(pe: Lut) -> data.Layout:
    """Return the layout of the tables of a row.

    entries : halves, rounded down, of a3 +- a2 +- a1 +- a0; bit i of an entry's index subtracts ai.
    even : whether nothing was lost in halving.
    """
    entries = data.ArrayLayout(signed(fixed_point(pe.activation).bits + 1), 1 << TABLE - 1)
    return data.ArrayLayout(data.StructLayout({"entries": entries, "even": 1}), pe.lanes // TABLE)


def sums(pe: IntegerPE) -> data.StructLayout:
    """Return the layout of what a row sums: its activations, 1 for each step and 1 for each table that is not even."""
    steps = integer_operands.sums(pe).members["steps"]
    odd = steps + (pe.lanes // TABLE - 1).bit_length()
    return data.StructLayout({"total": signed(pe.accumulator_bits + 1), "steps": steps, "odd": odd})


class PrepareRow(integer_operands.PrepareRow):
    """Tables of the sums of four activations, 0 where there are none, and the sums of a segment, `sums(pe)`.

    The ports are those of the base; the operand is `tables(pe)`.
    """

    _pe: Lut

    def __init__(self, pe: Lut) -> None:
        super().__init__(pe, tables(pe).size, sums(pe))

    def prepare(self, m: Module, numbers: data.View) -> dict[str, Value]:
        """Make the tables, and return what the sums take in."""
        pe = self._pe
        numbers = data.View(numbers.shape(), delay(m, numbers.as_value(), pe.prepare_latency - 1))
        held = Signal(tables(pe))
        m.d.comb += self.operand.eq(held)
        total: Value = Const(0)
        odd: Value = Const(0)
        for index in range(pe.lanes // TABLE):
            a = [numbers[TABLE * index + lane] for lane in range(TABLE)]
            entries, even = table(a)
            m.d.sync += [held[index].entries[place].eq(entry) for place, entry in enumerate(entries)]
            m.d.sync += held[index].even.eq(even)
            total += (held[index].entries[0] << 1) + ~held[index].even
            odd += ~held[index].even
        return {"total": total, "odd": odd, "steps": Const(1)}


def table(a: list[Value]) -> tuple[list[Value], Value]:
    """Return the entries of the table of four activations and whether they are even, see `tables`."""
    entries = [each >> 1 for each in whole(a)]
    return entries, ~Cat(each[0] for each in a).xor()


def terms(pe: Lut, row: Value, column: Value, mode: Value) -> list[Term]:
    """Return what a cell looks up for each plane of four weights, complemented if it counts negative."""
    found = []
    for index, table in enumerate(data.View(tables(pe), row)):
        lanes = [column.word_select(TABLE * index + lane, pe.plane_bits) for lane in range(TABLE)]
        for plane in range(pe.plane_bits):
            *selection, negative = (lane[plane] for lane in lanes)
            entry = select(table.entries, Cat(selection))
            found.append(Term(entry ^ negative.replicate(len(entry)), negative & table.even, plane))
    return found


class Finish(integer.Finish):
    """The finish station of integers, which first puts a cell's sum of halves together.

    With h the sum of halves, A the sum of activations and o the number of odd tables of a segment, the planes of
    weights of b bits make up h + (2^b - 1) (A + o) / 2, from which weights that start at -2^(b - 1) take off
    2^(b - 1) A.

    Its `activation_sum` is `sums(pe)`.
    """

    sums = staticmethod(sums)

    def corrected(self) -> Value:
        """Return the sum of products, less the zero point times the sum of activations."""
        total, odd = self.activation_sum.total, self.activation_sum.odd
        half = (total + odd) >> 1
        widths = [(scalar(mode.weight).bits, minimum(mode) < 0) for mode in self._pe.modes]
        highest = Array(odd << bits - 1 if sign else half << bits for bits, sign in widths)[self.mode]
        return less_zero_point(self._pe, self, self.accumulated() - half + highest)
