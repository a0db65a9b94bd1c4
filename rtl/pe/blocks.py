"""Processing elements of blocks as circuits: decoders at the edges, exact sums in the cells, scales where they finish.

The arithmetic is `dyad.models.pe.blocks`. The edges turn a lane's word into numbers, one at each of its places: as many
as the format with the narrowest elements has operands in a word. A place is as wide as its widest format; what a format
does not use stays 0. So formats that share a cell differ at its edges only, and the cell has no mode. Two kinds:

- Where no format has exponents: integers, those of a column as radix-4 Booth digits, recoded once for all its cells.
- Where one has: sign, significand and exponent. A cell multiplies significands, adds exponents, and shifts.

A cell adds up everything in one tree of full adders: partial products or shifted products, and what it has summed
before. Of a wide sum the carries between its parts wait for the next step in registers, and those of the last step for
the finish station, so that no carry passes more than about `SEGMENT` bits in a cycle.

Measured for 4 words of 8 bits with the registers around them (Yosys 0.70 + ABC, sky130_fd_sc_hd, target 4 ns), and why
it is like this. mxint8: with `*` and `+` 16483 um2 and 8.3 ns; with partial products in the tree 11670 and 6.0; with
Booth digits 10215 and 5.7. mxfp8_e4m3: with one adder 14413 um2 and 9.1 ns; if carries wait, but the tree lets some of
them ripple, 14795 and 7.4; as it is 15317 and 5.9; with a register behind the products instead 15459 and 8.2. Products
of fixed-point numbers in place of shifted ones take 8559 instead of 7198 um2 for mxfp6_e2m3, 8553 instead of 7400 for
nvfp4, whose exponents are as narrow as any; mxfp8_e4m3 aligned by one or two bits of its exponents at the edges, with
`*`, 6 and 25 % more.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import NamedTuple

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring

from ...models.formats import scalar
from ...models.pe.blocks import BlockPE
from ..compress import pair, pair_without_ripple, total
from ..rounding import delay
from .block_finish import Finish
from .block_operands import (
    Place,
    column_layout,
    decode,
    each_mode,
    finer_bits,
    finer_exponents,
    is_special,
    places,
    row_layout,
)
from .headers import header
from .stations import Stations, column_ports, dot_ports, row_ports

SEGMENT = 10
"""Bits of the sum between which carries wait, about."""

SCALE_BITS = 8
"""Bits of the scale of a block."""


def stations(pe: BlockPE) -> Stations:
    """Return the constructors of the stations for a description."""
    return Stations(
        PrepareRow=partial(PrepareRow, pe),
        PrepareColumn=partial(PrepareColumn, pe),
        Dot=partial(Dot, pe),
        Finish=partial(Finish, pe, edges(pe.accumulator_bits)),
        result=result_bits(pe.accumulator_bits),
        sum=SCALE_BITS,
    )


def edges(bits: int) -> list[int]:
    """Return the bits at which the parts of a sum begin and end."""
    count = max(1, round(bits / SEGMENT))
    return [bits * part // count for part in range(count + 1)]


def result_bits(bits: int) -> int:
    """Return the bits of a cell's result: a sum of so many, and above it the carries of all its parts but one."""
    return bits + len(edges(bits)) - 2


class PrepareRow(wiring.Component):
    """Decodes the activations of a row, 0 where there are none, and keeps the scale of their block.

    Parameters
    ----------
    pe : description of the processing element.

    Ports
    -----
    step : in, `STEP`, with its rules.
    activations : in, activation_bits * lanes; lane l at bit activation_bits * l, its operands from the low bits on. In
        cycles of a header its words.
    operand : out, `row_layout`, in the next cycle.
    sum : out, 8; the scale's code, or that of NaN if an activation was not finite, of the last segment that ended.
    """

    def __init__(self, pe: BlockPE) -> None:
        self._pe = pe
        super().__init__(row_ports(pe, row_layout(pe).size, SCALE_BITS))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, step = self._pe, self.step
        held = header(m, step, self.activations, SCALE_BITS + finer_bits(pe))
        operand, special, nan = Signal(len(self.operand)), Signal(), Signal(SCALE_BITS)
        for mode in each_mode(m, step.mode, pe):
            fine = finer_exponents(m, step, held[SCALE_BITS:], mode, pe)
            m.d.comb += [
                operand.eq(decode(m, self.activations, fine, mode, pe, row_layout(pe))),
                special.eq(is_special(self.activations, mode, pe)),
                nan.eq(scalar(mode.scale).nan),
            ]
        m.d.sync += self.operand.eq(Mux(step.valid, operand, 0))

        # A header may follow in the next cycle: what it takes the place of is kept until the results are there.
        before, seen = Signal(), Signal()
        m.d.comb += seen.eq((before & ~step.first) | special)
        ended = Signal(SCALE_BITS, reset_less=True)
        with m.If(step.valid):
            m.d.sync += before.eq(seen)
        with m.If(step.valid & step.last):
            m.d.sync += ended.eq(Mux(seen, nan, held[:SCALE_BITS]))
        m.d.comb += self.sum.eq(delay(m, ended, pe.prepare_latency + pe.dot_latency - 1))
        return m


class PrepareColumn(wiring.Component):
    """Decodes the weights of a column.

    Ports
    -----
    step : in, `STEP`, with its rules.
    weights : in, plane_bits * lanes, as activations are.
    operand : out, `column_layout`, in the next cycle.
    """

    def __init__(self, pe: BlockPE) -> None:
        self._pe = pe
        super().__init__(column_ports(pe, column_layout(pe).size))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, step = self._pe, self.step
        held = header(m, step, self.weights, finer_bits(pe))
        for mode in each_mode(m, step.mode, pe):
            fine = finer_exponents(m, step, held, mode, pe)
            m.d.sync += self.operand.eq(decode(m, self.weights, fine, mode, pe, column_layout(pe)))
        return m


class Dot(wiring.Component):
    """A cell: the products of `lanes` words each cycle, summed over a segment.

    Parameters
    ----------
    pe : description of the processing element.

    Ports
    -----
    step : in, `STEP`, with its rules; one cycle after that of the row.
    row : in, `row_layout`; 0 in cycles without operands.
    column : in, `column_layout`.
    result : out, `result_bits`; sum of the last segment that ended, and its carries.
    """

    def __init__(self, pe: BlockPE) -> None:
        self._pe = pe
        super().__init__(dot_ports(row_layout(pe).size, column_layout(pe).size, result_bits(pe.accumulator_bits)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, step, bits = self._pe, self.step, self._pe.accumulator_bits
        row, column = data.View(row_layout(pe), self.row), data.View(column_layout(pe), self.column)
        terms: list[Term] = []
        for lane in range(pe.lanes):
            for index, place in enumerate(places(pe)):
                a, w = row[lane][f"place_{index}"], column[lane][f"place_{index}"]
                terms += multiplied(a.integer, w.digits) if place.exponent == 0 else shifted(m, a, w, place)
        accumulate(m, terms, step.valid & step.first, step.valid & step.last, bits, self.result)
        return m


class Term(NamedTuple):
    """A number that is summed, times 2^place; if it is signed its top bit counts as negative."""

    value: Value
    place: int
    signed: bool


def accumulate(m: Module, terms: list[Term], first: Value, last: Value, bits: int, result: Value) -> None:
    """Sum terms, which are 0 in cycles without operands, from `first` to `last`; show the sum from the next cycle on.

    bits : of the sum, which wraps. result : `result_bits(bits)`, the sum and its carries.
    """
    # A top bit that counts as negative is its complement, counted as positive, less a constant.
    constant = -sum(1 << term.place + len(term.value) - 1 for term in terms if term.signed) % (1 << bits)
    addends = [(Cat(term.value[:-1], term.value[-1] ^ term.signed), term.place) for term in terms]
    addends += [(C(1, 1), bit) for bit in range(bits) if constant >> bit & 1]

    parts = list(pairwise(edges(bits)))
    so_far, shown = (Signal.like(result, reset_less=True, name=name) for name in ("so_far", "shown"))
    added = Signal.like(result)
    kept = so_far & (~first).replicate(len(so_far))
    addends.append((kept[:bits], 0))
    addends += [(carry, high) for carry, (_, high) in zip(kept[bits:], parts, strict=False)]
    one, other = (pair if len(parts) <= 2 else pair_without_ripple)(m, addends, bits)
    for index, (low, high) in enumerate(parts):
        part = Signal(high - low + 1, name=f"part_{index}")
        m.d.comb += [part.eq(one[low:high] + other[low:high]), added[low:high].eq(part)]
        if high < bits:
            m.d.comb += added[bits + index].eq(part[-1])
    m.d.sync += so_far.eq(added)
    with m.If(last):
        m.d.sync += shown.eq(added)
    m.d.comb += result.eq(shown)


def multiplied(a: Value, digits: data.View) -> list[Term]:
    """Return the product of a signed number and Booth digits: a multiple for each, and what negative ones lack."""
    terms = []
    for index, digit in enumerate(digits):
        multiple = (digit.one.replicate(len(a) + 1) & Cat(a, a[-1])) | (digit.two.replicate(len(a) + 1) & Cat(0, a))
        terms.append(Term(multiple ^ digit.negative.replicate(len(multiple)), 2 * index, signed=True))
        terms.append(Term(digit.negative, 2 * index, signed=False))
    return terms


def shifted(m: Module, a: data.View, w: data.View, place: Place) -> list[Term]:
    """Return the product of two numbers with exponents."""
    width = 2 * place.bits
    product = Signal(width, name="product")
    rows = [(a.significand & bit.replicate(place.bits), low) for low, bit in enumerate(w.significand)]
    m.d.comb += product.eq(total(m, rows, width))
    exponent = a.exponent + w.exponent
    word: Value = product
    for bit, chosen in enumerate(exponent):
        wider = Signal(min(len(word) + (1 << bit), place.product), name=f"shifted_{1 << bit}")
        m.d.comb += wider.eq(Mux(chosen, word << (1 << bit), word))
        word = wider
    negative = a.sign ^ w.sign
    complement = Cat(word ^ negative.replicate(len(word)), negative)
    return [Term(complement, 0, signed=True), Term(negative, 0, signed=False)]
