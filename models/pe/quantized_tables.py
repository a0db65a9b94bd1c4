"""Tables of sums of activations rounded to a few bits, with one scale for each table: those of floats in `lut`.

Section 3 of LUT Tensor Core (arXiv 2408.06003) quantizes the tables of floating-point activations to int8. Its scales
are not published; ours are powers of two, so that a cell aligns what it looks up by a shift. Of t bits, the entries of
a table are its exact sums over 2^e, rounded to nearest even, where e is the least number, 0 at least, with which the
largest magnitude of them, S = |a0| + |a1| + |a2| + |a3|, becomes no more than 2^(t - 1) - 1. The negative of every
entry is then one, too.

A cell adds up entries exactly, so that the products of a table with weights of b bits, with or without zero point, err
by no more than (2^b - 1) 2^(e - 1), which is 0 where e is, and at most (2^b - 1) S / (2^t - 1): each plane of value 2^i
is off by half an entry's error, and so is the sum of the activations, which counts 2^b - 1 times. (Binary weights, of
which a plane is all there is, err by as much.) That sum is the
tables' own, not that of the exact activations: weights that equal the zero point then come to 0 whatever was rounded,
and sums of planes and of activations remain both even or both odd.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TABLE = 4
"""Activations of a table."""


def exact(a: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the tables of integers [..., k], filled up with zeros: a3 +- a2 +- a1 +- a0, [..., k / 4, 8].

    Bit i of an entry's index subtracts ai.
    """
    a = a.astype(np.int64)
    a = np.concatenate([a, np.zeros((*a.shape[:-1], -a.shape[-1] % TABLE), np.int64)], axis=-1)
    first, second, third, last = (a[..., lane::TABLE, None] for lane in range(TABLE))
    signs: NDArray[np.int64] = 1 - 2 * (np.arange(1 << TABLE - 1)[:, None] >> np.arange(TABLE - 1) & 1)
    return last + third * signs[:, 2] + second * signs[:, 1] + first * signs[:, 0]


def rounded(tables: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Return tables [..., 8] below 2^53, each of whose entries is what `bits` bits of it hold, times its scale."""
    largest = np.abs(tables).max(axis=-1, keepdims=True).astype(np.float64)
    exponent = np.maximum(np.frexp(largest)[1] - (bits - 1), 0)
    exponent += np.rint(np.ldexp(largest, -exponent)) >= 1 << bits - 1
    return np.ldexp(np.rint(np.ldexp(tables.astype(np.float64), -exponent)), exponent).astype(np.int64)


def widest(largest: int, bits: int) -> int:
    """Return the largest exponent of a table of activations up to that magnitude."""
    total = TABLE * largest
    exponent = max(total.bit_length() - (bits - 1), 0)
    return exponent + (exponent > 0 and total >> exponent - 1 == (1 << bits) - 1)


def largest_entry(largest: int, bits: int) -> int:
    """Return what one activation of that magnitude adds to an entry at most, in tables of one to four of them."""
    magnitudes = np.arange(1, TABLE + 1) * largest
    entries = rounded(magnitudes[:, None], bits)[:, 0]
    return int((-(-entries // np.arange(1, TABLE + 1))).max())


def selections(codes: NDArray[np.integer], planes: int) -> NDArray[np.int64]:
    """Return how often each entry counts in the sums of planes, [..., k / 4, 8, N].

    codes : weights as `Lut.stored` has them, [..., k, N], k a multiple of 4.
    """
    first, second, third, last = (codes[..., lane::TABLE, :].astype(np.int64) for lane in range(TABLE))
    counts = np.zeros((*first.shape[:-1], 1 << TABLE - 1, first.shape[-1]), np.int64)
    for plane in range(planes):
        index = (first >> plane & 1) + (second >> plane & 1) * 2 + (third >> plane & 1) * 4
        sign = (1 - 2 * (last >> plane & 1)) << plane
        counts += (index[..., None, :] == np.arange(1 << TABLE - 1)[:, None]) * sign[..., None, :]
    return counts
