"""Cells of XR-NPE for modes that all have the same number of operands in a word, two or four.

Nothing is regrouped then, and products need no place of their own. A cell takes two cycles:

1. multiply: a product of significands for each pair of operands, and the sum of their exponents;
2. accumulate: products are shifted, those that are negative complemented, and added to the quire.

With one product of posit(8,0), its decoders, a quire of 32 bits and no register for the result, as
`dyad.hw.synthesis.baselines` has it, that is 4871 um2 and 6.7 ns (Yosys 0.70 + ABC, sky130_fd_sc_hd, 4 ns). What was
tried there, by turns:

- a decoder that normalizes every number: 5405 um2;
- signed significands, negative codes decoded as they are, which spares both negations and the complements: 5137, since
  products of 7 x 7 signed bits are larger, so that cells alone are, too: 4715 instead of 4494;
- shifts that move zeros as if they were digits: 4942;
- quire, product and its complement in one tree of full adders: 4718, but 9.8 ns; cells with two products shrink from
  9676 to 9164, and take 10.7 ns instead of 6.8;
- a quire whose carries ripple, or do in parts of some bits: 4 % less and 10.6 ns, or at most 2 % less and 9 ns.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from typing import NamedTuple

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring

from ...models.formats import scalar
from ...models.pe.mode import Mode
from ...models.pe.xr_npe import XrNpe, product_range
from ..compress import total
from ..decode import Number
from ..rounding import delay
from .stations import dot_ports
from .xr_npe_operands import PLACES, WIDTHS, column_layout, held, result_layout, row_layout


class Dot(wiring.Component):
    """A cell: the products of `lanes` words each cycle, summed exactly over a segment.

    Parameters
    ----------
    pe : description of the processing element.

    Ports
    -----
    step : in, `STEP`, with its rules.
    row, column : in, `row_layout` and `column_layout`: the decoded words of this step, all 0 without `valid`.
    result : out, `result_layout`; sum of the last segment that ended, two cycles after its last operands.
    """

    def __init__(self, pe: XrNpe) -> None:
        self._pe = pe
        super().__init__(dot_ports(row_layout(pe), column_layout(pe), result_layout(pe)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, step = self._pe, self.step
        pairs: list[tuple[Number, Number]] = []
        for row, column in zip(self.row.words, self.column.words, strict=True):
            pairs += zip(_numbers(row, pe.modes[0]), _numbers(column, pe.modes[0]), strict=True)
        sums = accumulate(m, pe, pairs, step.valid & step.first)
        shown = Signal(result_layout(pe), reset_less=True)
        with m.If(delay(m, step.valid & step.last, 1)):
            m.d.sync += [shown.quire.eq(sums.following), shown.nar.eq(sums.nar_following)]
        m.d.comb += self.result.eq(shown)
        return m


class Sums(NamedTuple):
    """A quire and whether it is NaR, and what they will be after the next edge: two cycles after the operands."""

    quire: Value
    nar: Value
    following: Value
    nar_following: Value


def accumulate(m: Module, pe: XrNpe, pairs: list[tuple[Number, Number]], first: Value) -> Sums:
    """Return the sum of the products of these pairs in each cycle, from 0 on with those that are `first`.

    No register needs a reset: nothing is read before a segment, whose first products leave out what was there before.
    """
    starts = held(m, first, 1)
    bad = held(m, Cat(number.nar for pair in pairs for number in pair).any(), 1)
    quire, nar = Signal(pe.accumulator_bits, reset_less=True), Signal(reset_less=True)
    following, nar_following = Signal.like(quire), Signal()
    sum_: Value = (quire & (~starts).replicate(len(quire))).as_signed()
    for a, b in pairs:
        word, negative = _product(m, pe, a, b)
        sum_ = sum_ + word + negative
    m.d.comb += [following.eq(sum_), nar_following.eq((nar & ~starts) | bad)]
    m.d.sync += [quire.eq(following), nar.eq(nar_following)]
    return Sums(quire, nar, following, nar_following)


def _numbers(word: Value, mode: Mode) -> list[Number]:
    """Return the operands of a word."""
    stride, width = PLACES // mode.packing, WIDTHS[mode.packing]
    numbers = []
    for place in range(0, PLACES, stride):
        significand = word.significand[3 * place :][:width]
        numbers.append(Number(word.sign[place], significand, word.exponent.word_select(place, 3), word.nar))
    return numbers


def _product(m: Module, pe: XrNpe, a: Number, b: Number) -> tuple[Value, Value]:
    """Return the product of two numbers a cycle later, complemented if it is negative, and 1 to add if it is."""
    width = len(a.significand)
    significand = Signal(2 * width, name="significand", reset_less=True)
    exponent = Signal(4, name="exponent", reset_less=True)
    rows = [(a.significand & bit.replicate(width), place) for place, bit in enumerate(b.significand)]
    m.d.sync += [significand.eq(total(m, rows, 2 * width)), exponent.eq(a.exponent + b.exponent)]
    negative = held(m, a.sign ^ b.sign, 1)
    word = Cat(significand ^ negative.replicate(2 * width), negative)
    limit = max(product_range(mode).largest for mode in pe.modes).bit_length() + 1
    for bit, zeros in enumerate(zeros_before_shifts(pe.modes)):
        places = 1 << bit
        shifted = Signal(min(len(word) + places, limit), name=f"shifted_{places}")
        extended = Cat(word, negative.replicate(places))
        moved = Cat(negative.replicate(places), word[zeros:])
        m.d.comb += shifted.eq(Cat(word[:zeros], Mux(exponent[bit], moved, extended[zeros:])))
        word = shifted
    return word.as_signed(), negative


def zeros_before_shifts(modes: tuple[Mode, ...]) -> list[int]:
    """Return for each bit of the exponent of a product, from the least significant on, how many zeros there surely are
    at the end of a product that it shifts, and that the bits below have shifted: they may stay where they are.
    """
    found: dict[int, list[int]] = defaultdict(list)
    for mode in modes:
        ends = {_end(number, WIDTHS[mode.packing]) for number in _magnitudes(mode.weight)}
        for (one, zeros), (other, more) in product(ends, ends):
            exponent = one + other
            for bit in range(exponent.bit_length()):
                if exponent >> bit & 1:
                    found[bit].append(zeros + more + exponent % (1 << bit))
    return [min(found[bit]) for bit in range(len(found))]


def _magnitudes(name: str) -> list[int]:
    """Return the positive numbers of a format, in units of the least."""
    values = scalar(name).values()
    values = np.sort(values[values > 0])
    return [int(number) for number in values / values[0]]


def _end(number: int, width: int) -> tuple[int, int]:
    """Return the exponent that `decode` gives a number, and how many zeros its significand ends in."""
    exponent = max(number.bit_length() - width, 0)
    return exponent, (number & -number).bit_length() - 1 - exponent
