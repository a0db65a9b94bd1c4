# amaranth: UnusedElaboratable=no
"""Proofs of posits: their decoders, and the rounding unit that makes them."""

from __future__ import annotations

from amaranth.hdl import Mux, Value, signed

from dyad.hw.formal import Problem
from dyad.models.pe.output import POSITS
from dyad.rtl import decode, posit, rounding
from dyad.rtl.posit import Posit
from dyad.tests.formal.catalog import Bug, proof
from dyad.tests.formal.rounding import compare

FORMATS = tuple(posit.posit_of(name) for name in POSITS)


def precision(form: Posit) -> int:
    """Return the bits of the longest significand: all but the sign, two of the regime and the exponent."""
    return max(form.bits - 3 - form.exponent_bits, 0) + 1


def rounder(p: Problem, width: int, index: int) -> rounding.Round:
    p.m.submodules.round = unit = rounding.Round(width, FORMATS)
    p.m.d.comb += unit.format.eq(len(rounding.TARGETS) + index)
    return unit


def _returns(index: int) -> Problem:
    p, form = Problem(), FORMATS[index]
    unit, code = rounder(p, 25, index), p.arbitrary(form.bits, "code")
    number = decode.decode(p.m, code, POSITS[index], precision(form))
    p.m.d.comb += [
        unit.sign.eq(number.sign),
        unit.magnitude.eq(number.significand),
        unit.exponent.eq(number.exponent - form.unit),
        unit.nan.eq(number.nar),
    ]
    p.show(unit.value == rounding.delay(p.m, code, unit.latency))
    return p


@proof(4, Bug(decode, "^ ones.replicate(n - 3)", ""))
def posit_4_1_returns() -> Problem:
    """`decode` and then `Round` give back every code of posit(4,1), 0 and NaR too."""
    return _returns(POSITS.index("posit(4,1)"))


@proof(4, Bug(decode, "magnitude[-2:].any()", "magnitude[-1]"))
def posit_8_0_returns() -> Problem:
    """`decode` and then `Round` give back every code of posit(8,0), 0 and NaR too."""
    return _returns(POSITS.index("posit(8,0)"))


@proof(4, Bug(decode, "Mux(biased < 0, -biased, 0)", "0"))
def posit_16_1_returns() -> Problem:
    """`decode` and then `Round` give back every code of posit(16,1), 0 and NaR too."""
    return _returns(POSITS.index("posit(16,1)"))


def _rounds(index: int) -> Problem:
    """Between two posits lies the posit of one more bit that ends in 1: there, by definition, rounding changes."""
    p, form = Problem(), FORMATS[index]
    unit = rounder(p, 28, index)
    sign, magnitude = p.arbitrary(1, "sign"), p.arbitrary(len(unit.magnitude), "magnitude")
    exponent = p.arbitrary(signed(9), "exponent")
    p.m.d.comb += [unit.sign.eq(sign), unit.magnitude.eq(magnitude), unit.exponent.eq(exponent)]
    sign, magnitude, exponent = (rounding.delay(p.m, each, unit.latency) for each in (sign, magnitude, exponent))
    p.show(unit.value[form.bits :] == 0)
    code = Mux(sign, -unit.value[: form.bits], unit.value[: form.bits])[: form.bits]

    longer = f"posit({form.bits + 1},{form.exponent_bits})"
    wider = posit.posit_of(longer)

    def against_boundary(above: Value) -> tuple[Value, Value]:
        number = decode.decode(p.m, above[: wider.bits], longer, precision(wider))
        return compare(magnitude, exponent, number.significand, number.exponent - wider.unit)

    (beyond, at_upper), (past, at_lower) = against_boundary(code << 1 | 1), against_boundary((code << 1) - 1)
    not_too_small = (code == form.nar - 1) | ~(beyond | at_upper) | (at_upper & ~code[0])
    not_too_large = (code == 1) | past | (at_lower & ~code[0])
    p.show(Mux(magnitude.any(), code.any() & ~code[-1] & not_too_small & not_too_large, code == 0))
    return p


@proof(4, Bug(posit, "half & (below | kept[0])", "half & below"))
def round_to_posit_4_1() -> Problem:
    """`Round` gives the posit(4,1) between whose boundaries a number of 28 bits lies; on one, the even one.

    Given: exponents in -256..255; boundaries are the posits of one more bit that end in 1, as `decode` reads them.
    """
    return _rounds(POSITS.index("posit(4,1)"))


@proof(4, Bug(posit, "| ~kept.any()", ""))
def round_to_posit_8_0() -> Problem:
    """`Round` gives the posit(8,0) between whose boundaries a number of 28 bits lies; on one, the even one.

    Given: exponents in -256..255; boundaries are the posits of one more bit that end in 1, as `decode` reads them.
    """
    return _rounds(POSITS.index("posit(8,0)"))


@proof(
    4,
    Bug(posit, "whole[: len(whole) - keep].any()", "whole[len(whole) - keep - 1]"),
    slow=True,
    solver="z3",
)
def round_to_posit_16_1() -> Problem:
    """`Round` gives the posit(16,1) between whose boundaries a number of 28 bits lies; on one, the even one.

    Given: exponents in -256..255; boundaries are the posits of one more bit that end in 1, as `decode` reads them.
    """
    return _rounds(POSITS.index("posit(16,1)"))
