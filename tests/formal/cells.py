# amaranth: UnusedElaboratable=no
"""Proofs of cells that look products up, and of cells that sum the products of blocks."""

from __future__ import annotations

from functools import reduce
from operator import add

from amaranth.hdl import Array, C, Cat, Const, Mux, Signal, Value, signed

from dyad.hw.formal import Problem
from dyad.models.pe import Lut, Mx
from dyad.models.pe.quantized_tables import TABLE
from dyad.rtl.pe import block_operands, blocks, lut, quantized_tables
from dyad.rtl.pe.stations import STEP
from dyad.tests.formal.catalog import Bug, proof
from dyad.tests.formal.values import integer_of


@proof(1, Bug(quantized_tables, "(index ^ index >> 1) & 1", "index & 1"))
def lut_tables() -> Problem:
    """Entry i of a LUT's table of int8 a0..a3 is half of a3 +- a2 +- a1 +- a0, bit k of i taking ak off; rounded down.

    What is lost is half of 1 in all entries if the table is not even, else nothing.
    """
    p = Problem()
    a = [p.arbitrary(signed(8), f"activation_{lane}") for lane in range(TABLE)]
    entries, even = lut.table(a)
    for index, entry in enumerate(entries):
        low, middle, high = (-each if index >> lane & 1 else each for lane, each in enumerate(a[:-1]))
        p.show((entry << 1) + ~even[0] == (a[3] + high) + (middle + low))
    return p


@proof(1, Bug(lut, "negative & table.even", "negative"))
def lut_terms() -> Problem:
    """What a LUT cell adds for four weights is, for each of two planes, the entry of the plane's low bits, with what it
    lacks of a half, times -1 if the high bit is set; less half of what is lacking.

    That is for tables of any entries; `lut_tables` tells what they are.
    """
    p, pe = Problem(), Lut(lanes=TABLE, weight_bits=2)
    row, weights = p.arbitrary(lut.tables(pe), "row"), p.arbitrary(pe.lanes * pe.plane_bits, "weights")
    terms = lut.terms(pe, row, weights, Const(0))
    halves = sum((term.number.as_signed() + term.carry) << term.shift for term in terms)
    odd, entries = ~row[0].even, Array(row[0].entries[index] for index in range(1 << TABLE - 1))
    sums: Value = Const(0)
    for plane in range(pe.plane_bits):
        *low, high = (weights.word_select(lane, pe.plane_bits)[plane] for lane in range(pe.lanes))
        twice = (entries[Cat(low)] << 1) + odd
        sums += Mux(high, -twice, twice) - odd << plane
    p.show(halves << 1 == sums)
    return p


def _stream(pe: Mx) -> Problem:
    """A cell of one word in the first mode of `pe`, with what the edges decode, against the sum of products."""
    p = Problem()
    (mode,), bits = pe.modes, pe.accumulator_bits
    element = pe.block_format(mode).element
    p.m.submodules.dot = dot = blocks.Dot(pe)
    step, total = p.arbitrary(STEP, "step"), Signal(signed(bits))
    words = [p.arbitrary(pe.activation_bits * pe.lanes, name) for name in ("activations", "weights")]
    finer = [C(0, 1)] * (pe.lanes * mode.packing)
    row, column = (
        block_operands.decode(p.m, word, finer, mode, pe, layout(pe))
        for word, layout in zip(words, (block_operands.row_layout, block_operands.column_layout), strict=True)
    )
    p.m.d.comb += [dot.step.eq(step), dot.row.eq(Mux(step.valid, row, 0)), dot.column.eq(column)]

    width = pe.activation_bits // mode.packing
    products = []
    for place in range(pe.lanes * mode.packing):
        a, w = (integer_of(p.m, word.word_select(place, width)[: element.bits], element.name) for word in words)
        products.append(a * w)
    following, shown, ended = Signal.like(total), Signal.like(total), Signal()
    p.m.d.comb += following.eq(Mux(step.first, 0, total) + sum(products))
    with p.m.If(step.valid):
        p.m.d.sync += total.eq(following)
        with p.m.If(step.last):
            p.m.d.sync += [shown.eq(following), ended.eq(1)]

    def resolved(result: Value) -> Value:
        """Return the sum that a result stands for, modulo its width, with the carries between its parts."""
        carries = zip(result[bits:], blocks.edges(bits)[1:], strict=False)
        return reduce(add, (carry << high for carry, high in carries), result[:bits])[:bits]

    started = Signal()
    p.m.d.sync += started.eq(started | step.valid & step.first)
    p.show(~started | (resolved(p.inside(len(dot.result), "dot.so_far")) == total[:bits]))
    p.show(~ended | (resolved(dot.result) == shown[:bits]))
    p.given(started | ~step.valid | step.first)
    return p


@proof(
    2,
    Bug(blocks, "Term(digit.negative, 2 * index, signed=False)", "Term(digit.negative, index, signed=False)"),
    slow=True,
)
def mx_integer_sums() -> Problem:
    """A cell of one word sums the two products of nvint4's numbers in it over each segment of any stream of steps.

    Given: the row is 0 in cycles without operands; the first segment has a first step.
    """
    return _stream(Mx(format="nvint4", lanes=1))


@proof(2, Bug(blocks, "negative = a.sign ^ w.sign", "negative = a.sign | w.sign"))
def mx_float_sums() -> Problem:
    """A cell of one word sums the product of mxfp6_e2m3's numbers in it over each segment of any stream of steps.

    Given: the row is 0 in cycles without operands; the first segment has a first step.
    """
    return _stream(Mx(format="mxfp6_e2m3", lanes=1))
