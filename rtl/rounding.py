"""The one rounding unit: an exact sign, magnitude and exponent becomes int8, fp16, fp32 or a posit, to nearest even.

Formats differ in two numbers only. A result has at most `precision` significant bits, and its last bit weighs at least
2^quantum. With that, subnormal numbers and integers are no special cases: int8 is a format of 8 significant bits that
are never finer than 2^0. The code of a magnitude is its significand plus a multiple of 2^(precision - 1) for every
binade above the first, so that rounding carries into the exponent, and saturation is the smaller of two codes. Posits
share the normalized magnitude only.
"""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .posit import Posit, cut, round_off


class Target(NamedTuple):
    """An output format: bits, precision, exponent of its quantum, the code where its values end, and that of NaN."""

    bits: int
    precision: int
    quantum: int
    limit: int
    nan: int


INT8, FP16, FP32 = range(3)
"""Codes of the formats, in the order of `dyad.models.pe.output.FORMATS`."""

TARGETS = (
    Target(8, 8, 0, 0x7F, 0),
    Target(16, 11, -24, 0x7C00, 0x7E00),
    Target(32, 24, -149, 0x7F800000, 0x7FC00000),
)

_WIDEST = max(target.precision for target in TARGETS)


def shift_right(m: Module, word: Value, amount: Value) -> Signal:
    """Return `word >> amount`, where bit 0 also collects whatever was shifted out (the sticky bit)."""
    for bit in range(len(amount)):
        shifted = Signal(len(word), name=f"shifted_{1 << bit}")
        lost = word[: (1 << bit) + 1].any()
        m.d.comb += shifted.eq(Mux(amount[bit], Cat(lost, word[(1 << bit) + 1 :]), word))
        word = shifted
    return word


def normalize(m: Module, word: Value, fill: Value | int = 0) -> tuple[Signal, Signal]:
    """Return `word` shifted left until its top bit is set, and the number of places (all ones if `word` is 0).

    Bits `fill` come in from below; a word that has a bit set does not depend on them otherwise.
    """
    fill = Value.cast(fill)[0]
    places = Signal(range(len(word)))
    for bit in reversed(range(len(places))):
        shifted = Signal(len(word), name=f"normalized_{1 << bit}")
        m.d.comb += places[bit].eq(~word[-(1 << bit) :].any())
        m.d.comb += shifted.eq(Mux(places[bit], Cat(fill.replicate(1 << bit), word), word))
        word = shifted
    return word, places


def delay(m: Module, value: Value, cycles: int, reset_less: bool = False) -> Value:
    """Return `value` as it was some cycles ago, or 0 if a reset came since, unless `reset_less`."""
    for _ in range(cycles):
        held = Signal(value.shape(), reset_less=reset_less)
        m.d.sync += held.eq(value)
        value = held
    return value


class Round(wiring.Component):
    """Rounds (-1)^sign * magnitude * 2^exponent to nearest even, once, with `latency` cycles and interval 1.

    Parameters
    ----------
    width : bits of the magnitude, at least 25.
    posits : further formats, whose codes follow those of the others.

    Ports
    -----
    sign : in, 1.
    magnitude : in, `width`. Where bits were cut off below it, its bit 0 must hold the OR of them.
    exponent : in, signed 10; weight of bit 0 of the magnitude.
    format : in, 2, or 3 with posits; `INT8`, `FP16`, `FP32` or, from 3 on, the index of a posit.
    nan : in, 1, with posits only; the number is none: NaR, NaN or, in int8, 0.
    value : out, 32, `latency` cycles later: the code in the low bits, zeros above. int8 saturates; fp16 and fp32
        overflow to infinity and keep the sign of what rounds to zero; posits never become 0 or NaR.
    """

    latency = 3

    def __init__(self, width: int, posits: tuple[Posit, ...] = ()) -> None:
        self._posits = posits
        super().__init__(
            {
                "sign": In(1),
                "magnitude": In(width),
                "exponent": In(signed(10)),
                "format": In(3 if posits else 2),
                "value": Out(32),
                **({"nan": In(1)} if posits else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        normalized, places = normalize(m, self.magnitude)

        # How far the top bit is below that of the format's smallest normal number; negative if above.
        depth = Signal(signed(12))
        spare = Signal(range(_WIDEST))
        word = Signal.like(self.magnitude)
        with m.Switch(self.format[:2]):
            for code, target in enumerate(TARGETS):
                with m.Case(code) if code != FP32 else m.Default():
                    smallest = target.quantum + target.precision - 1
                    m.d.sync += depth.eq(smallest - (len(word) - 1) - self.exponent + places)
                    m.d.sync += spare.eq(_WIDEST - target.precision)
        m.d.sync += word.eq(normalized)

        # The significand moves to where its last bit weighs one quantum; below it stay the half and the sticky bit.
        # Narrower formats spare some bits in any case, and numbers below the smallest normal one lose `depth` more.
        distance = Signal(12)
        amount = Signal(5)
        m.d.comb += distance.eq(spare + Mux(depth < 0, 0, depth))
        m.d.comb += amount.eq(Mux(distance < 32, distance, 31))
        shifted = shift_right(m, Cat(word[: -_WIDEST - 1].any(), word[-_WIDEST - 1 :]), amount)
        kept = Signal.like(shifted)
        binade = Signal(11)
        m.d.sync += kept.eq(shifted)
        m.d.sync += binade.eq(Mux((depth < 0) & word[-1], -depth, 0))

        rounded = kept[2:] + (kept[1] & (kept[0] | kept[2]))
        sign, format = delay(m, self.sign, 2), delay(m, self.format, 2)
        encoded: list[Value] = [_encode(target, sign, binade, rounded) for target in TARGETS]
        if self._posits:
            nan = delay(m, self.nan, 2)
            encoded = [Mux(nan, target.nan, code) for code, target in zip(encoded, TARGETS, strict=True)]
            encoded += self._posit_codes(m, word, places, sign, nan)
        with m.Switch(format):
            for code, value in enumerate(encoded):
                with m.Case(code) if code != len(encoded) - 1 else m.Default():
                    m.d.sync += self.value.eq(value)
        return m

    def _posit_codes(self, m: Module, word: Value, places: Value, sign: Value, nan: Value) -> list[Value]:
        """Return the code in each posit format of a number whose magnitude, normalized, is `word`."""
        scale = Signal(signed(11))
        m.d.sync += scale.eq(self.exponent + (len(word) - 1) - places)
        string = cut(m, self._posits, delay(m, self.format, 1) - len(TARGETS), word[:-1], scale)
        held, zero = delay(m, string, 1), delay(m, ~word[-1], 1)
        return [round_off(posit, held, sign, zero, nan) for posit in self._posits]


def _encode(target: Target, sign: Value, binade: Value, significand: Value) -> Value:
    """Return the code of a significand, at most 2^precision, in one of the binades above the first."""
    code = (binade << (target.precision - 1)) + significand
    twos_complement = target == TARGETS[INT8]
    limit = target.limit + sign if twos_complement else target.limit
    magnitude = Mux(code < limit, code, limit)[: target.bits]
    return Mux(sign, -magnitude, magnitude)[: target.bits] if twos_complement else Cat(magnitude[:-1], sign)
