"""LUT Tensor Core as a circuit (arXiv 2408.06003): tables by row, selections and negations by cell.

A cell reads one of the 8 entries of a table for each plane of the weights, complements it if the plane says so, and
adds what the complement lacks to a negative in the lowest place: nothing where the entry's odd bit, which tables leave
out, makes up for it. The arithmetic is `dyad.models.pe.lut`.
"""

from __future__ import annotations

from functools import partial

from amaranth.hdl import Array, Cat, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...models.formats import scalar
from ...models.pe import Lut
from ...models.pe.fixed import fixed_point
from ...models.pe.lut import TABLE
from ..rounding import delay
from . import integer
from .stations import STEP, Stations


def stations(pe: Lut) -> Stations:
    """Return the constructors of the stations for a description."""
    return Stations(
        PrepareRow=partial(PrepareRow, pe),
        PrepareColumn=partial(integer.PrepareColumn, pe),
        Dot=partial(Dot, pe),
        Finish=partial(Finish, pe),
        result=signed(pe.accumulator_bits),
        sum=sums(pe),
    )


def tables(pe: Lut) -> data.Layout:
    """Return the layout of the tables of a row.

    entries : halves, rounded down, of a3 +- a2 +- a1 +- a0; bit i of an entry's index subtracts ai.
    even : whether nothing was lost in halving.
    """
    entries = data.ArrayLayout(signed(fixed_point(pe.activation).bits + 1), 1 << TABLE - 1)
    return data.ArrayLayout(data.StructLayout({"entries": entries, "even": 1}), pe.lanes // TABLE)


def sums(pe: Lut) -> data.Layout:
    """Return the layout of what a row sums: its activations, and how many of its tables were not even."""
    return data.StructLayout({"total": signed(pe.accumulator_bits + 1), "odd": pe.longest_tables.bit_length()})


class PrepareRow(wiring.Component):
    """Tables of the sums of four activations, 0 where there are none, and the sums of a segment.

    Parameters
    ----------
    pe : description of the processing element.

    Ports
    -----
    step : in, `STEP`, with its rules; only the first plane of a weight counts for the sums.
    activations : in, activation_bits * lanes; lane l at bit activation_bits * l.
    operand : out, bits of `tables(pe)`, `prepare_latency` cycles later.
    sum : out, `sums(pe)` of the last segment that ended; they wrap.
    """

    def __init__(self, pe: Lut) -> None:
        self._pe = pe
        super().__init__(
            {
                "step": In(STEP),
                "activations": In(pe.activation_bits * pe.lanes),
                "operand": Out(tables(pe).size),
                "sum": Out(sums(pe)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self._pe
        numbers = integer.decode(m, pe, self.step.valid, self.activations)
        numbers = data.View(numbers.shape(), delay(m, numbers.as_value(), pe.prepare_latency - 1))
        held = Signal(tables(pe))
        m.d.comb += self.operand.eq(held)
        total: Value | int = 0
        odd: Value | int = 0
        for index in range(pe.lanes // TABLE):
            a = [numbers[TABLE * index + lane] for lane in range(TABLE)]
            high, low = (a[3] + a[2], a[3] - a[2]), (a[0] + a[1], a[1] - a[0])
            for entry in range(1 << TABLE - 1):
                other = low[(entry ^ entry >> 1) & 1]
                whole = high[entry >> 2] - other if entry >> 1 & 1 else high[entry >> 2] + other
                m.d.sync += held[index].entries[entry].eq(whole >> 1)
            m.d.sync += held[index].even.eq(~Cat(each[0] for each in a).xor())
            total += (held[index].entries[0] << 1) + ~held[index].even
            odd += ~held[index].even
        step = data.View(STEP, delay(m, self.step.as_value(), pe.prepare_latency))
        first_plane = step.plane == 0
        for name, addend in (("total", total), ("odd", odd)):
            counted = Signal.like(self.sum[name], name=f"{name}_counted")
            m.d.comb += counted.eq(Value.cast(addend) & first_plane.replicate(len(counted)))
            integer.accumulate(m, step, counted, self.sum[name])
        return m


class Dot(wiring.Component):
    """A cell: for each table and plane of the weights one entry, with its sign, summed over a segment.

    Parameters
    ----------
    pe : description of the processing element.

    Ports
    -----
    step : in, `STEP`, with its rules.
    row : in, bits of `tables(pe)`; those of zeros in cycles without operands.
    column : in, plane_bits * lanes; planes of each weight as the description stores them, lane l at bit plane_bits * l.
    result : out, signed `accumulator_bits`; sum of the last segment that ended. Sums wrap.
    """

    def __init__(self, pe: Lut) -> None:
        self._pe = pe
        super().__init__(
            {
                "step": In(STEP),
                "row": In(tables(pe).size),
                "column": In(pe.plane_bits * pe.lanes),
                "result": Out(signed(pe.accumulator_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self._pe
        row = data.View(tables(pe), self.row)
        terms: list[Value] = []
        for index, table in enumerate(row):
            lanes = [self.column.word_select(TABLE * index + lane, pe.plane_bits) for lane in range(TABLE)]
            for plane in range(pe.plane_bits):
                terms.append(looked_up(table, [lane[plane] for lane in lanes]) << plane)
            # What the complements lack is a number of its own: a bit in the place of each plane.
            terms.append(lanes[-1] & table.even.replicate(pe.plane_bits))
        # A sum of four activations is within 2^(bits + 1) of 0, and all planes of a weight together count less than
        # 2^plane_bits.
        bits = fixed_point(pe.activation).bits + pe.plane_bits + 1
        dot = Signal(signed(bits + (len(row) - 1).bit_length()))
        m.d.comb += dot.eq(sum(terms))
        planes = max(mode.interval for mode in pe.modes)
        shifted = Array(dot << plane for plane in range(planes))[self.step.plane]
        integer.accumulate(m, self.step, shifted, self.result)
        return m


def looked_up(table: data.View, plane: list[Value]) -> Value:
    """Return the entry of one plane of four weights, complemented if it counts negative."""
    return Array(table.entries)[Cat(plane[:-1])] ^ plane[-1].as_signed()


class Finish(integer.Finish):
    """The finish station of integers, which first puts a cell's sum of halves together.

    With h the sum of halves, A the sum of activations and o the number of odd tables of a segment, the planes of
    weights of b bits make up h + (2^b - 1) (A + o) / 2, from which weights that start at -2^(b - 1) take off
    2^(b - 1) A.

    Ports
    -----
    accumulator : in, signed `accumulator_bits`; h.
    activation_sum : in, `sums(pe)`; A and o.

    The others are those of `integer.Finish`.
    """

    def __init__(self, pe: Lut) -> None:
        super().__init__(pe, sums(pe))

    def corrected(self) -> Value:
        """Return the sum of products, less the zero point times the sum of activations."""
        total, odd = self.activation_sum.total, self.activation_sum.odd
        half = (total + odd) >> 1
        widths = [(scalar(mode.weight).bits, scalar(mode.weight).signed) for mode in self._pe.modes]
        highest = Array(odd << bits - 1 if sign else half << bits for bits, sign in widths)[self.mode]
        return self.accumulator - half + highest - self.zero_point * total
