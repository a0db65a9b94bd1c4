# amaranth: UnusedElaboratable=no
"""Proofs of XR-NPE: its decoders, its products, and the multiplier that is regrouped by mode."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Const, Mux, Signal, signed

from dyad.hw.formal import Problem
from dyad.models.pe import XrNpe
from dyad.models.pe.xr_npe import MODES
from dyad.rtl import decode
from dyad.rtl.pe import xr_npe_narrow, xr_npe_products
from dyad.rtl.pe.xr_npe_operands import OPERAND, PLACES, PRECISION, WIDTHS
from dyad.rtl.rounding import delay
from dyad.tests.formal.catalog import Bug, proof
from dyad.tests.formal.values import integer_of

NARROW = [mode for mode in MODES if mode.packing > 1]


@proof(1, Bug(decode, "ones[start] & ~end", "ones[start]"))
def xr_npe_decoders() -> Problem:
    """What `decode` makes of each code of posit(8,0), posit(4,1) and e2m1 is the number that it stands for, or NaR."""
    p = Problem()
    for mode in NARROW:
        code = p.arbitrary(16 // mode.packing, mode.weight)
        number = decode.decode(p.m, code, mode.weight, WIDTHS[mode.packing])
        magnitude = number.significand << number.exponent[:3]
        value = integer_of(p.m, code, mode.weight)
        is_nar = (code == 1 << len(code) - 1) & mode.weight.startswith("posit")
        p.show(number.nar == is_nar)
        p.show(is_nar | (Mux(number.sign, -magnitude, magnitude) == value))
    return p


def _regrouped(p: Problem, packing: int, columns: int) -> None:
    """Show that the products of significands, of `packing` sub-lanes each, are those of `*`.

    columns : bits of the significands of columns that may be set.
    """
    row, column = (p.arbitrary(OPERAND, f"{name}_{packing}_{columns}") for name in ("row", "column"))
    stride, width = PLACES // packing, WIDTHS[packing]
    used = reduce(or_, (((1 << width) - 1) << 3 * place for place in range(0, PLACES, stride)))
    p.given((row.significand & ~used) == 0)
    p.given((column.significand & ~(used & columns)) == 0)
    products, _, _ = xr_npe_products.multiply(p.m, row, column, Const(packing == 1, 1), Const(packing == 4, 1))
    for place in range(0, PLACES, stride):
        a, b = (each.significand[3 * place :][:width] for each in (row, column))
        p.show(products[6 * place :][: 2 * width] == delay(p.m, a * b, 1))


@proof(2, Bug(xr_npe_products, "else near if", "else a if"))
def xr_npe_regrouped() -> Problem:
    """The multiplier of XR-NPE, as four and as two, gives the products that `*` gives of 2 x 2 and of 6 x 6 bits.

    Given: what a mode does not use of a significand is 0.
    """
    p = Problem()
    for packing in (2, 4):
        _regrouped(p, packing, (1 << PRECISION) - 1)
    return p


@proof(2, Bug(xr_npe_products, "else far", "else a & 0"), slow=True)
def xr_npe_whole() -> Problem:
    """The multiplier of XR-NPE, as one, gives the product that `*` gives of 13 x 13 bits, but for what is given.

    Given: the significand of the column has only bits of 0 to 4 set, or of 4 to 8, or of 8 to 12.
    """
    p = Problem()
    for low in (0, 4, 8):
        _regrouped(p, 1, 0b11111 << low)
    return p


def _sums(index: int) -> Problem:
    """The cell with one product in a mode alone, without a register for the result, behind decoders."""
    p, mode = Problem(), MODES[index]
    pe, width = XrNpe(modes=(mode,), group=127), WIDTHS[mode.packing]
    codes = [p.arbitrary(16 // mode.packing, name) for name in ("activation", "weight")]
    first = p.arbitrary(1, "first")
    a, b = (decode.decode(p.m, code, mode.weight, width) for code in codes)
    sums = xr_npe_narrow.accumulate(p.m, pe, [(a, b)], first)

    # That the register holds the product leaves shifts, signs and sums to be shown.
    product = p.inside(2 * width, "significand")
    p.show(product == delay(p.m, a.significand * b.significand, 1))
    magnitude = product << delay(p.m, a.exponent[:3] + b.exponent[:3], 1)
    added = Mux(delay(p.m, a.sign ^ b.sign, 1), -magnitude, magnitude)
    total, nar = Signal(signed(pe.accumulator_bits)), Signal()
    starts = delay(p.m, first, 1)
    p.m.d.sync += [total.eq(Mux(starts, 0, total) + added), nar.eq((nar & ~starts) | delay(p.m, a.nar | b.nar, 1))]
    p.show(sums.quire.as_signed() == total)
    p.show(sums.nar == nar)
    return p


@proof(4, Bug(xr_npe_narrow, "zeros + more + exponent % (1 << bit)", "zeros + more + exponent % (2 << bit)"))
def posit_8_0_sums() -> Problem:
    """A cell of XR-NPE with one product, for posit(8,0) alone, sums what `*` makes of decoded codes over each segment;
    NaR stays in the sum until the next one.

    What decoded codes are worth is shown by `xr_npe_decoders`.
    """
    return _sums(0)


@proof(4, Bug(xr_npe_narrow, "(nar & ~starts) | bad", "nar | bad"))
def posit_4_1_sums() -> Problem:
    """The same for posit(4,1)."""
    return _sums(2)


@proof(4, Bug(xr_npe_narrow, "sum_ + word + negative", "sum_ + word"))
def e2m1_sums() -> Problem:
    """The same for e2m1."""
    return _sums(3)
