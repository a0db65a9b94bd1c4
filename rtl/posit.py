"""Posits as circuits: what a code stands for, and the code that a number rounds to.

Decoded, a number of any format is a float with subnormals: (-1)^sign * significand * 2^(exponent - unit), whose
exponent is not negative, and is 0 where the significand is not normalized. 2^-unit is then what all values of the
format are multiples of, and the exponents span less than those of normalized numbers would. The arithmetic is
`dyad.models.formats.posits`.
"""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, Value, signed

from .rounding import normalize, shift_right


class Posit(NamedTuple):
    """A posit format: its width and its exponent bits."""

    bits: int
    exponent_bits: int

    @property
    def precision(self) -> int:
        """Significant bits of the numbers around 1, which have the most."""
        return max(self.bits - 2 - self.exponent_bits, 1)

    @property
    def unit(self) -> int:
        """The least magnitude is 2^-unit, the greatest 2^unit."""
        return (self.bits - 2) << self.exponent_bits

    @property
    def nar(self) -> int:
        """Code of NaR."""
        return 1 << (self.bits - 1)


class Number(NamedTuple):
    """A decoded number: see the module. `nar` is set for NaR, whose other fields mean nothing."""

    sign: Value
    significand: Value
    exponent: Value
    nar: Value


def decode(m: Module, code: Value, posit: Posit, precision: int) -> Number:
    """Return what a code stands for, in `precision` bits of significand, not less than the format has."""
    n, es = posit
    sign = code[-1]
    magnitude = Signal(n - 1, name="posit_magnitude")
    m.d.comb += magnitude.eq(Mux(sign, -code, code))
    some = magnitude.any()

    # The regime's run ends at the first bit that is unlike its first: the leading one once ones are complemented.
    ones = magnitude[-1]
    normalized, places = normalize(m, magnitude[:-1] ^ ones.replicate(n - 2), fill=ones)
    run = Mux(normalized[-1], places, n - 2)
    tail = normalized[:-1] ^ ones.replicate(n - 3)
    tail = Cat(C(0, max(es + precision - 1 - len(tail), 0)), tail)
    regime = Mux(ones, run, ~Cat(run, 0).as_signed())
    scale = (regime << es) + tail[len(tail) - es :]

    # Below the least normalized number the exponent stays 0 and the significand loses zeros.
    biased = Signal(signed(len(run) + es + 3), name="posit_biased")
    m.d.comb += biased.eq(scale + (posit.unit - (precision - 1)))
    depth = Signal(range(precision + 1), name="posit_depth")
    m.d.comb += depth.eq(Mux(biased < 0, -biased, 0))
    significand = Cat(tail[len(tail) - es - (precision - 1) : len(tail) - es], some) >> depth
    exponent = Mux(some & (biased > 0), biased, 0)
    return Number(sign & some, Mux(some, significand, 0), exponent, sign & ~some)


def cut(m: Module, formats: tuple[Posit, ...], format: Value, fraction: Value, scale: Value) -> Signal:
    """Return the bit string of 1.fraction * 2^scale after its sign: as many bits as the widest format has, then two
    more, the first that is cut off and the OR of the others.

    Parameters
    ----------
    formats : formats among which `format` is the index of one. Narrower ones are prefixes of the string.
    fraction : bits below the leading one, the highest first bit last; bit 0 may be the OR of others.
    scale : signed.
    """
    widest = max(posit.bits for posit in formats)
    length = widest + 1
    tails, regimes, limits = [], [], []
    for posit in formats:
        es = posit.exponent_bits
        whole = Cat(fraction, scale[:es])
        keep = length - 3
        whole = Cat(C(0, max(keep + 1 - len(whole), 0)), whole)
        tails.append(Cat(whole[: len(whole) - keep].any(), whole[len(whole) - keep :]))
        regimes.append((scale >> es).as_signed())
        limits.append(C(posit.bits - 2, widest.bit_length()))
    tail, regime, limit = (_select(choices, format) for choices in (tails, regimes, limits))
    small = Signal()
    run = Signal(len(regime))
    amount = Signal(widest.bit_length())
    m.d.comb += [
        small.eq(regime[-1]),
        run.eq(Mux(small, ~regime, regime)),
        amount.eq(Mux(run < limit, run, limit)),
    ]
    # The regime begins with 01 or 10 and is stretched to the right; complemented where the string moves in ones.
    body = Cat(tail, small, ~small)
    return _stretch(m, body, amount, ~small)


def _select(choices: list[Value], index: Value) -> Value:
    return choices[0] if len(choices) == 1 else Array(choices)[index]


def _stretch(m: Module, word: Value, amount: Value, fill: Value) -> Signal:
    """Return `word >> amount` with `fill` from above; bit 0 also collects what was shifted out."""
    for bit in range(len(amount)):
        shifted = Signal(len(word), name=f"stretched_{1 << bit}")
        places = min(1 << bit, len(word) - 1)
        lost = word[: places + 1].any()
        m.d.comb += shifted.eq(Mux(amount[bit], Cat(lost, word[places + 1 :], fill.replicate(places)), word))
        word = shifted
    return word


def round_off(posit: Posit, string: Value, sign: Value, zero: Value, nar: Value) -> Value:
    """Return the code of a string that `cut` made, rounded to nearest even; never 0 or NaR but for `zero` and `nar`."""
    n = posit.bits
    spare = len(string) - (n - 1)
    kept, half, below = string[spare:], string[spare - 1], string[: spare - 1].any()
    rounded = (kept + (half & (below | kept[0])))[: n - 1] | ~kept.any()
    return Mux(nar, posit.nar, Mux(zero, 0, Mux(sign, -rounded, rounded)))[:n]
