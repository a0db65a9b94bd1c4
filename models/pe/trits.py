"""Five ternary digits in a byte, 1.6 bits each: 243 of its 256 codes.

bitnet.cpp (arXiv 2502.11880) packs three in 5 bits. The code here is ours, made to be decoded by few gates, where a
number of base 3 takes divisions. A digit is -1, 0 or 1, of 2 bits 11, 00 or 01; what 10 can say instead makes up for
missing room. A pair of digits takes 3 bits, p and c:

    p is not 10         digits p and 0c
    p is 10             digits 1 or -1 (if c is 0) and -1

which is every pair but 0 and -1. Of a byte h h h l l l m m the first three digits are in l l l m m, and the last two
are the pair h h h; if l l l is 101, which it never is for three digits, those are in h h h m m, and the last two are 0
and -1. Of three digits p p c m m

    m m is 10           the first is p, the others are 1 or -1 (if c is 0) and -1
    p p is 10           the first is m m, the others are 0 and -1
    else                the first is m m, the others are the pair p p c.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

DIGITS = 5
"""Digits in a byte."""
_PLACES = 3 ** np.arange(DIGITS)


def unpack(codes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the digits of bytes [...], [..., 5]; those of codes that `pack` does not give do not matter."""
    return _digits()[codes]


def pack(digits: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return the bytes of digits -1, 0 and 1 [..., 5]."""
    return _codes()[((digits + 1) * _PLACES).sum(axis=-1)]


@cache
def _codes() -> NDArray[np.uint8]:
    """The byte of each five digits, by the number that they make in base 3, each plus 1."""
    number = ((_digits() + 1) * _PLACES).sum(axis=-1)
    valid = (_digits() >= -1).all(axis=-1)
    codes = np.zeros(3**DIGITS, np.uint8)
    codes[number[valid]] = np.flatnonzero(valid)
    return codes


@cache
def _digits() -> NDArray[np.int64]:
    """The digits of all bytes, -2 among them in codes that have no meaning."""
    codes = np.arange(256)
    high, middle, low = codes >> 5, codes >> 2 & 7, codes & 3
    escaped = middle == 0b101
    top = np.where(escaped, high, middle)
    p, c, other = top >> 1, top & 1, np.where(top & 1, 1, -1)
    third, lowest = low == 0b10, p == 0b10
    first = np.where(third, p, low)
    second = np.where(third, other, np.where(lowest, 0, p))
    last = np.where(third | lowest, -1, c)
    # An escape within an escape, and a 10 that stands for nothing, are no digits.
    last = np.where(lowest & (third | c == 1), -2, last)
    pair, sign = high >> 1 == 0b10, np.where(high & 1, 1, -1)
    fourth = np.where(escaped, 0, np.where(pair, sign, high >> 1))
    fifth = np.where(escaped | pair, -1, high & 1)
    return np.stack([np.where(digit == 0b11, -1, digit) for digit in (first, second, last, fourth, fifth)], axis=-1)
