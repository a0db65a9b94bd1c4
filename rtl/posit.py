"""Numbers rounded to posits: the bit string that they are, cut off. The arithmetic is `dyad.models.formats.posits`."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, Value

from ..models.formats import scalar


class Posit(NamedTuple):
    """A posit format: its width and its exponent bits."""

    bits: int
    exponent_bits: int

    @property
    def unit(self) -> int:
        """The least magnitude is 2^-unit, the greatest 2^unit."""
        return (self.bits - 2) << self.exponent_bits

    @property
    def nar(self) -> int:
        """Code of NaR."""
        return 1 << (self.bits - 1)


def posit_of(name: str) -> Posit:
    """Return a posit format by name."""
    format = scalar(name)
    return Posit(format.bits, format.exponent_bits)


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
    # The regime begins with 01 or 10; moving the string to the right repeats its first bit.
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
