"""Quantized tables of `lut` as circuits: a row rounds its tables, cells shift what they look up.

The arithmetic is `dyad.models.pe.quantized_tables`.

Four lanes with fp16 activations, in sky130_fd_sc_hd (Yosys 0.70 + ABC, 4 ns, inputs registered), 8 bits of an entry:

    planes    rounded tables       exact tables
    1          8240 um2, 12.8 ns   14132 um2, 15.2 ns
    2          9300 um2, 12.8 ns   17786 um2, 13.2 ns
    4         11189 um2, 14.7 ns   24814 um2, 15.4 ns

A table has 70 lines in place of 345, whose registers are 5500 um2 of each difference: with one plane the shift costs
about what the selection saves, with more planes it is shared by all of them. A row takes 66610 um2 in place of 41519,
which five columns make up for. Leaving part of the shift to the row, with entries of up to 10 or 14 bits, makes the
first cell 8732 um2 and 12.8 ns, or 9331 and 11.6.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring

from ...models.formats import scalar
from ...models.pe import Lut
from ...models.pe.fixed import fixed_point
from ...models.pe.integer import IntegerPE
from ...models.pe.lut import is_binary, minimum
from ...models.pe.quantized_tables import TABLE, largest_entry, widest
from ..rounding import delay, normalize, shift_right
from . import integer, integer_operands
from .sums import Term


def tables(pe: Lut) -> data.Layout:
    """Return the layout of the tables of a row.

    entries : rounded a3 +- a2 +- a1 +- a0; bit i of an entry's index subtracts ai.
    exponent : entries count 2^exponent each.
    """
    entries = data.ArrayLayout(signed(pe.table_bits), 1 << TABLE - 1)
    exponent = range(widest(fixed_point(pe.activation).largest, pe.table_bits) + 1)
    return data.ArrayLayout(data.StructLayout({"entries": entries, "exponent": exponent}), pe.lanes // TABLE)


def sum_bits(pe: Lut) -> int:
    """Return the bits of an entry in the unit of the activations, with sign."""
    return (TABLE * largest_entry(fixed_point(pe.activation).largest, pe.table_bits)).bit_length() + 1


class PrepareRow(integer_operands.PrepareRow):
    """Rounded tables of the sums of four activations, 0 where there are none, and the sums of a segment.

    The ports are those of the base; the operand is `tables(pe)`, and the total that of the entries of index 0.
    """

    _pe: Lut

    def __init__(self, pe: Lut) -> None:
        super().__init__(pe, tables(pe).size)

    def prepare(self, m: Module, numbers: data.View) -> dict[str, Value]:
        """Make the tables, and return what the sums take in."""
        pe = self._pe
        numbers = data.View(numbers.shape(), delay(m, numbers.as_value(), pe.prepare_latency - 2))
        held = Signal(tables(pe))
        m.d.comb += self.operand.eq(held)
        total: Value = Const(0)
        for index in range(pe.lanes // TABLE):
            a = [numbers[TABLE * index + lane] for lane in range(TABLE)]
            m.submodules[f"table_{index}"] = table = Table(pe)
            m.d.comb += Cat(table.activations).eq(Cat(a))
            m.d.sync += held[index].eq(table.rounded)
            total += align(held[index].entries[0], held[index].exponent, Const(0))[: sum_bits(pe)].as_signed()
        return {"total": total, "steps": Const(1)}


class Table(wiring.Component):
    """Sums of four activations, exact in a register, then rounded.

    Ports
    -----
    activations : in, four signed integers.
    rounded : out, an element of `tables(pe)`, a cycle later.
    """

    def __init__(self, pe: Lut) -> None:
        self._pe = pe
        numbers = data.ArrayLayout(signed(fixed_point(pe.activation).bits), TABLE)
        super().__init__({"activations": wiring.In(numbers), "rounded": wiring.Out(tables(pe).elem_shape)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        point, bits = fixed_point(self._pe.activation), self._pe.table_bits
        a = [self.activations[lane] for lane in range(TABLE)]
        magnitude = Signal((TABLE * point.largest).bit_length(), reset_less=True)
        m.d.sync += magnitude.eq(sum(abs(each) for each in a))

        exponent = Signal.like(self.rounded.exponent)
        word, places = normalize(m, magnitude)
        excess = len(magnitude) - (bits - 1)  # what the exponent is where nothing is shifted out
        with m.If(places < excess):
            m.d.comb += exponent.eq(excess - places + word[-bits:].all())
        m.d.comb += self.rounded.exponent.eq(exponent)
        for place, entry in enumerate(whole(a)):
            exact = Signal(signed(len(magnitude) + 1), name=f"sum_{place}", reset_less=True)
            m.d.sync += exact.eq(entry)
            # Two bits below hold a half and the sticky bit; above there is the sign, as often as it takes.
            extended = Cat(exact, exact[-1].replicate(max(widest(point.largest, bits) + bits - len(exact), 0)))
            shifted = shift_right(m, Cat(Const(0, 2), extended), exponent)
            up = shifted[1] & (shifted[0] | shifted[2])
            m.d.comb += self.rounded.entries[place].eq(shifted[2 : 2 + bits].as_signed() + up)
        return m


def whole(a: list[Value]) -> list[Value]:
    """Return the 8 sums a3 +- a2 +- a1 +- a0 of four integers."""
    high, low = (a[3] + a[2], a[3] - a[2]), (a[0] + a[1], a[1] - a[0])
    sums = []
    for index in range(1 << TABLE - 1):
        one, other = high[index >> 2], low[(index ^ index >> 1) & 1]
        sums.append(one - other if index >> 1 & 1 else one + other)
    return sums


def align(entry: Value, exponent: Value, fill: Value) -> Value:
    """Return the bits of an entry, `exponent` places higher and with copies of `fill` below."""
    return Cat(fill.replicate((1 << len(exponent)) - 1), entry).as_signed() >> ~exponent


def terms(pe: Lut, row: Value, column: Value, mode: Value) -> list[Term]:
    """Return what a cell looks up for four weights: the sum of all planes, aligned."""
    found, bits = [], sum_bits(pe)
    for index, table in enumerate(data.View(tables(pe), row)):
        lanes = [column.word_select(TABLE * index + lane, pe.plane_bits) for lane in range(TABLE)]
        planes = []
        for plane in range(pe.plane_bits):
            *selection, negative = (lane[plane] for lane in lanes)
            entry = select(table.entries, Cat(selection))
            planes.append((entry ^ negative.replicate(len(entry)), negative))
        if pe.plane_bits == 1:
            (entry, negative), *_ = planes
            found.append(Term(align(entry, table.exponent, negative)[:bits], negative))
        else:
            total = sum((entry.as_signed() + negative) << plane for plane, (entry, negative) in enumerate(planes))
            found.append(Term(align(total, table.exponent, Const(0))[: bits + pe.plane_bits]))
    return found


def select(entries: data.View, index: Value) -> Value:
    """Return the bits of an entry."""
    codes = [Value.cast(entry).as_unsigned() for entry in entries]
    return reduce(or_, (code & (index == place).replicate(len(code)) for place, code in enumerate(codes)))


class Finish(integer.Finish):
    """The finish station of integers, which first makes products of what cells have looked up.

    With T the sum of planes and A that of activations of a segment, weights of b bits without sign make products of
    (T + (2^b - 1) A) / 2, and those with sign take off 2^(b - 1) A.
    """

    def corrected(self) -> Value:
        """Return the sum of products, less the zero point times the sum of activations."""
        total = self.activation_sum.total
        widths = [(scalar(mode.weight).bits, minimum(mode) < 0) for mode in self._pe.modes]
        lowest = Array(Const(0) if sign else total << bits - 1 for bits, sign in widths)[self.mode]
        return less_zero_point(self._pe, self, ((self.accumulated() - total) >> 1) + lowest)


def less_zero_point(pe: IntegerPE, finish: integer.Finish, products: Value) -> Value:
    """Return a sum of products less the zero point times the sum of activations.

    Binary weights of -1 and 1 are twice their codes, less 1.
    """
    binary = Array(int(is_binary(mode)) for mode in pe.modes)[finish.mode]
    return (products << binary) - Mux(binary, 1, finish.zero_point) * finish.activation_sum.total
