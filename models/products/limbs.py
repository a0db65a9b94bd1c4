"""Sums too wide for float64: significands cut into limbs, sums carried from word to word, and rounded once.

A word is an int64 array; words w_0, w_1, ... of some width stand for the sum of w_i 2^(width i).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .ranges import Float, Range

Words = list[NDArray[np.int64]]

PRECISION = 53
"""Significant bits of float64."""
WORD = 32
"""Bits of a limb that is only added: int64 then has room for 2^31 terms."""
SIGNIFICAND = 61
"""Bits kept of a sum before it is rounded; those below are or-ed into the last one."""


class Split(NamedTuple):
    """Into how many limbs the operands are cut, and how many bits a limb has."""

    left: int
    right: int
    width: int


def split_for(k: int, a: Range, w: Range) -> Split:
    """Return the split with the fewest products of limbs whose sums over `k` are exact in float64.

    Limbs of x and y bits do if k 2^(x + y) <= 2^53. Either both operands have limbs of one width or one stays whole.
    """
    room = PRECISION - max(k - 1, 0).bit_length()
    left, right = a.bits, w.bits
    half = room // 2
    choices = [Split(-(-left // half), -(-right // half), half)]
    if room > right:
        choices.append(Split(-(-left // (room - right)), 1, room - right))
    if room > left:
        choices.append(Split(1, -(-right // (room - left)), room - left))
    return min(choices, key=lambda split: split.left * split.right)


def product(a: Float, w: Float, left: Range, right: Range, odd: bool) -> Float:
    """Return the exact product of finite matrices, rounded once to float64: to odd (see `to_odd`) or to nearest even.

    Parameters
    ----------
    a, w : values in the ranges `left` and `right`, shapes [..., M, K] and [..., K, N].
    """
    k = a.shape[-1]
    split = split_for(k, left, right)
    limbs = list(_limbs(w, right.exponent, split.width, split.right))
    words: Words = [np.zeros((*a.shape[:-1], w.shape[-1]), np.int64) for _ in range(split.left + split.right - 1)]
    for i, x in enumerate(_limbs(a, left.exponent, split.width, split.left)):
        for j, y in enumerate(limbs):
            words[split.left - 1 - i + split.right - 1 - j] += (x @ y).astype(np.int64)
    return rounded(words, split.width, left * right * k, odd)


def total(terms: Iterable[Float], shape: tuple[int, ...], sums: Range, odd: bool) -> Float:
    """Return the exact sum of terms of one shape, which lies in `sums`, rounded as `product` does.

    NaN and infinity among the terms go as in float64.
    """
    words: Words = [np.zeros(shape, np.int64) for _ in range(-(-sums.bits // WORD))]
    special = np.zeros(shape)
    for term in terms:
        finite = np.isfinite(term)
        limbs = _limbs(np.where(finite, term, 0), sums.exponent, WORD, len(words))
        for word, limb in zip(reversed(words), limbs, strict=True):
            word += limb.astype(np.int64)
        with np.errstate(invalid="ignore"):
            special = special + np.where(finite, 0, term)
    return rounded(words, WORD, sums, odd) + special


def _limbs(values: Float, exponent: int, width: int, count: int) -> Iterator[Float]:
    """Yield the limbs of values in units of 2^exponent, the highest first; each has the sign of its value."""
    rest = np.ldexp(values, -exponent)
    for index in range(count - 1, 0, -1):
        unit = 2.0 ** (width * index)
        limb = np.trunc(rest / unit)
        rest -= limb * unit
        yield limb
    yield rest


def rounded(words: Words, width: int, sums: Range, odd: bool) -> Float:
    """Return the sums that words stand for, in units of 2^sums.exponent, rounded once; the words are used up."""
    words += [np.zeros_like(words[0]) for _ in range(sums.bits // width + 1 - len(words))]
    _carry(words, width)
    negative = words[-1] < 0
    for word in words:
        np.negative(word, out=word, where=negative)
    _carry(words, width)

    significand = np.zeros_like(words[0])
    exponent = np.full(significand.shape, sums.exponent + width * len(words))
    for word in reversed(words):
        # A significand that float64 rounds up to a power of two passes for one bit longer, which loses nothing.
        room = np.clip(SIGNIFICAND - np.frexp(significand.astype(np.float64))[1], 0, width)
        left = width - room
        lost = word & ((np.int64(1) << left) - 1)
        significand = significand << room | word >> left | (lost != 0)
        exponent -= room
    value: Float = significand.astype(np.float64)
    if odd:
        value = to_odd(value, significand - value.astype(np.int64))
    return np.ldexp(np.where(negative, -value, value), exponent)


def _carry(words: Words, width: int) -> None:
    """Leave `width` bits in every word but the last, which has the sign."""
    for low, high in pairwise(words):
        high += low >> width
        low &= (1 << width) - 1


def to_odd(nearest: Float, error: NDArray) -> Float:
    """Return nearest + error, of which `nearest` is the rounded value, rounded to odd instead.

    What is not exact becomes the neighbour whose last bit is set. That bit is below all values and boundaries of
    formats with less than 52 significant bits, so that rounding once more gives what rounding once would have.
    """
    bits = nearest.view(np.int64)
    away = np.where(np.signbit(nearest), -1, 1) * ((error > 0).astype(np.int64) - (error < 0))
    return (bits + np.where(bits & 1 == 0, away, 0)).view(np.float64)


def multiply_to_odd(x: Float, y: Float) -> Float:
    """Return x y rounded to odd: the error of the product is a float64 itself (Dekker, Numer. Math. 18, 1971)."""
    with np.errstate(invalid="ignore"):  # infinities have no error
        nearest = x * y
        (x_high, x_low), (y_high, y_low) = _halves(x), _halves(y)
        error = ((x_high * y_high - nearest) + x_high * y_low + x_low * y_high) + x_low * y_low
    return to_odd(nearest, error)


def add_to_odd(x: Float, y: Float) -> Float:
    """Return x + y rounded to odd (Knuth, The Art of Computer Programming, volume 2, section 4.2.2)."""
    with np.errstate(invalid="ignore"):
        nearest = x + y
        second = nearest - x
        error = (x - (nearest - second)) + (y - second)
    return to_odd(nearest, error)


def _halves(x: Float) -> tuple[Float, Float]:
    """Return two numbers of 26 significant bits whose sum is x."""
    scaled = x * (2.0**27 + 1)
    high = scaled - (scaled - x)
    return high, x - high
