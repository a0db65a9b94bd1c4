# amaranth: UnusedElaboratable=no
"""Proofs of shifting, normalizing, rounding and float32 addition, at widths at which the engine has them."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Mux, Signal, Value, signed

from dyad.hw.formal import Problem
from dyad.rtl import float as floating
from dyad.rtl import rounding
from dyad.tests.formal.catalog import Bug, proof

WIDTHS = (25, 28, 36, 48)


@proof(1, Bug(rounding, "lost = word[: (1 << bit) + 1].any()", "lost = word[: 1 << bit].any()"))
def sticky_shift() -> Problem:
    """`shift_right` is a shift to the right whose bit 0 also collects whatever was shifted out."""
    p = Problem()
    for width in WIDTHS:
        word, amount = p.arbitrary(width, f"word_{width}"), p.arbitrary(5, f"amount_{width}")
        lost = Cat((amount >= place) & word[place] for place in range(width)).any()
        # What fell out of bit 0 is `lost` without the bit that stayed.
        p.show(rounding.shift_right(p.m, word, amount) == (word >> amount | lost))
    return p


@proof(1, Bug(rounding, "~word[-(1 << bit) :].any()", "~word[-(1 << bit)]"))
def normalized() -> Problem:
    """`normalize` shifts left, `fill` from below, until the top bit is set, and counts places; all ones for 0 in 0."""
    p = Problem()
    for width in WIDTHS:
        word, fill = p.arbitrary(width, f"word_{width}"), p.arbitrary(1, f"fill_{width}")
        result, places = rounding.normalize(p.m, word, fill)
        shifted = (Cat(fill.replicate(width), word) << places)[width:]
        p.show(Mux(word.any(), result[-1] & (shifted == result), fill | places.all()))
    return p


def compare(a: Value, a_exponent: Value, b: Value, b_exponent: Value) -> tuple[Value, Value]:
    """Return whether a * 2^a_exponent is more than b * 2^b_exponent, which is not 0, and whether they are equal."""
    distance = a_exponent - b_exponent
    left = a << Mux(distance > len(b), len(b), Mux(distance > 0, distance, 0)).as_unsigned()[: len(b).bit_length()]
    right = b << Mux(-distance > len(a), len(a), Mux(distance < 0, -distance, 0)).as_unsigned()[: len(a).bit_length()]
    return left > right, left == right


def _upper_midpoint(target: rounding.Target, code: Value) -> tuple[Value, Value]:
    """Return, as a significand and its exponent, the middle between the magnitude of a code and the next larger."""
    fraction, field = code[: target.precision - 1], code[target.precision - 1 :]
    significand = Cat(1, fraction, field.any())
    return significand, Mux(field.any(), field - 1, 0) + target.quantum - 1


def _nearest_even(target: rounding.Target, code: Value, limit: Value, magnitude: Value, exponent: Value) -> Value:
    """Return whether `code` is the one nearest to magnitude * 2^exponent, the even one of two; at most `limit`."""
    above, at_upper = compare(magnitude, exponent, *_upper_midpoint(target, code))
    beyond, at_lower = compare(magnitude, exponent, *_upper_midpoint(target, (code - 1)[: len(code)]))
    not_too_small = (code == limit) | ~(above | at_upper) | (at_upper & ~code[0])
    not_too_large = (code == 0) | beyond | (at_lower & ~code[0])
    return (code <= limit) & not_too_small & not_too_large


def _rounds(format: int, width: int) -> Problem:
    p, target = Problem(), rounding.TARGETS[format]
    p.m.submodules.round = unit = rounding.Round(width)
    sign, magnitude = p.arbitrary(1, "sign"), p.arbitrary(width, "magnitude")
    exponent = p.arbitrary(signed(10), "exponent")
    p.m.d.comb += [
        unit.sign.eq(sign),
        unit.magnitude.eq(magnitude),
        unit.exponent.eq(exponent),
        unit.format.eq(format),
    ]
    sign, magnitude, exponent = (rounding.delay(p.m, value, unit.latency) for value in (sign, magnitude, exponent))
    p.show(unit.value[target.bits :] == 0)
    if format == rounding.INT8:
        code = Mux(sign, -unit.value[:8], unit.value[:8])[:8]
        limit = target.limit + sign
    else:
        code, limit = unit.value[: target.bits - 1], target.limit
        p.show(unit.value[target.bits - 1] == sign)
    p.show(_nearest_even(target, code, limit, magnitude, exponent))
    return p


@proof(4, Bug(rounding, "kept[0] | kept[2]", "kept[0]"))
def round_to_int8() -> Problem:
    """`Round` gives the int8 nearest to a magnitude of 48 bits times 2^exponent, the even one of two, or saturates."""
    return _rounds(rounding.INT8, 48)


@proof(4, Bug(rounding, "Mux(depth < 0, 0, depth)", "0"), slow=True)
def round_to_fp16() -> Problem:
    """`Round` gives the fp16 nearest to a magnitude of 48 bits times 2^exponent, the even one of two, or infinity."""
    return _rounds(rounding.FP16, 48)


@proof(4, Bug(rounding, "(depth < 0) & word[-1]", "depth < 0"), slow=True, solver="z3")
def round_to_fp32() -> Problem:
    """`Round` gives the fp32 nearest to a magnitude of 28 bits times 2^exponent, the even one of two, or infinity."""
    return _rounds(rounding.FP32, 28)


def _add(p: Problem, name: str, a: Value, b: Value) -> floating.Add:
    p.m.submodules[name] = add = floating.Add()
    p.m.d.comb += [add.a.eq(a), add.b.eq(b)]
    for number in (a, b):
        p.given(~number[23:31].all())
    return add


def _unrounded(p: Problem, name: str) -> tuple[Value, Value, Value]:
    """Return sign, magnitude and exponent that an `Add` gives to its `Round`, two cycles after its operands."""
    shapes = {"sign": 1, "magnitude": 28, "exponent": signed(10)}
    sign, magnitude, exponent = (p.inside(shape, f"{name}.round.{port}") for port, shape in shapes.items())
    return sign, magnitude, exponent


@proof(3, Bug(floating, "self.a[:31] < self.b[:31]", "self.a[:23] < self.b[:23]"))
def addition_commutes() -> Problem:
    """`Add` gives the same to its `Round` for a + b as for b + a.

    Given: finite operands.
    """
    p = Problem()
    a, b = p.arbitrary(32, "a"), p.arbitrary(32, "b")
    _add(p, "one", a, b)
    _add(p, "other", b, a)
    p.show(Cat(_unrounded(p, "one")) == Cat(_unrounded(p, "other")))
    return p


@proof(3, Bug(floating, "Cat(0, 0, 0, addend), amount", "Cat(0, 0, 0, addend), amount[:4]"))
def addition() -> Problem:
    """`Add` gives to its `Round` the exact sum, what is below its 28 bits collected in the last; an exact 0 is +0.

    Given: finite operands.
    """
    p = Problem()
    a, b = p.arbitrary(32, "a"), p.arbitrary(32, "b")
    _add(p, "add", a, b)
    sign, magnitude, exponent = _unrounded(p, "add")
    a, b = rounding.delay(p.m, a, 2), rounding.delay(p.m, b, 2)
    swap = a[:31] < b[:31]
    large, small = Mux(swap, b, a), Mux(swap, a, b)
    (significand, above), (addend, below) = floating.unpack(large), floating.unpack(small)
    # In units of 2^(above - 27). Of a number that ends further below, only whether it is 0 makes a difference.
    distance = (above - below).as_unsigned()
    aligned = Mux(distance > 27, addend.any(), addend << Mux(distance > 27, 0, 27 - distance).as_unsigned()[:5])
    exact = Signal(53)
    p.m.d.comb += exact.eq((significand << 27) + Mux(large[-1] ^ small[-1], -aligned, aligned))
    p.show(magnitude == (exact >> 24 | exact[:24].any()))
    p.show(~exact.any() | (exponent == above - 3))
    p.show(sign == (large[-1] & exact.any()))
    return p


@proof(6, Bug(floating, "field, 1) - (bias", "field, 0) - (bias"))
def adding_zero() -> Problem:
    """`Add` gives x for x + 0, and +0 for a zero of either sign.

    Given: a finite operand.
    """
    p = Problem()
    x, sign = p.arbitrary(32, "x"), p.arbitrary(1, "sign")
    add = _add(p, "add", x, Cat(Const(0, 31), sign))
    before = rounding.delay(p.m, x, add.latency)
    p.show(add.sum == Mux(before[:31].any(), before, 0))
    return p
