"""Operands of a few bits next to one another in words: how lanes, scratchpads and memory hold them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def join(numbers: NDArray[np.integer], bits: int, count: int) -> NDArray[np.int64]:
    """Return words of `count` numbers of `bits` bits each, the first in the lowest: [..., n] gives [..., n / count].

    Negative numbers become two's complement.
    """
    parts = numbers.astype(np.int64).reshape(*numbers.shape[:-1], -1, count) & (1 << bits) - 1
    return (parts << bits * np.arange(count)).sum(axis=-1)


def pack(numbers: NDArray[np.integer], bits: int) -> NDArray[np.uint8]:
    """Return numbers of 1, 2, 4, 8 or 16 bits as bytes, along the last axis, which they fill completely."""
    if bits <= 8:
        return join(numbers, bits, 8 // bits).astype(np.uint8)
    return np.ascontiguousarray(numbers.astype("<u2")).view(np.uint8)


def unpack(data: NDArray[np.uint8], bits: int) -> NDArray[np.unsignedinteger]:
    """Return the numbers, without sign, that `pack` made `data` of."""
    if bits > 8:
        return np.ascontiguousarray(data).view("<u2")
    parts = data[..., None] >> np.arange(0, 8, bits, dtype=np.uint8) & (1 << bits) - 1
    return parts.reshape(*data.shape[:-1], -1).astype(np.uint8)
