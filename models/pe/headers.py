"""Headers: what comes before the operands of a segment, as bits that are cut into codes as wide as the operands'."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..formats import BlockFormat, Format, Level


def stored_bits(element: Format) -> int:
    """Return the bits that an element takes in memory: 4, 8 or 16."""
    return next(bits for bits in (4, 8, 16) if element.bits <= bits)


def levels(format: BlockFormat) -> list[tuple[Level, int]]:
    """Return the scales of blocks and of parts of them, coarse to fine, and how many of each there are in a block."""
    return [(level, (format.block or 1) // level.extent) for level in format.levels if isinstance(level.extent, int)]


def insert(
    operands: NDArray[np.integer], block: int, fields: Sequence[tuple[NDArray[np.integer], int]], bits: int, length: int
) -> NDArray[np.int64]:
    """Return operands with a header before each block, the last of which may be shorter.

    Parameters
    ----------
    operands : [R, K].
    fields : what the headers hold, from their lowest bit on: numbers, the same count of each row and block in
        [R, blocks * count], and their bits.
    bits : of an operand. length : operands that a header is as long as.
    """
    rows, columns = operands.shape
    blocks = -(-columns // block)
    whole = np.zeros((rows, blocks, length * bits), np.int64)
    start = 0
    for numbers, width in fields:
        stop = start + numbers.shape[1] // max(blocks, 1) * width
        whole[..., start:stop] = _bits(numbers, width).reshape(rows, blocks, stop - start)
        start = stop
    missing = blocks * block - columns
    padded = np.pad(operands, [(0, 0), (0, missing)]).reshape(rows, blocks, block)
    joined = np.concatenate([_numbers(whole, length, bits), padded], axis=-1).reshape(rows, -1)
    return joined[:, : joined.shape[1] - missing]


def read(header: NDArray[np.integer], bits: int, fields: Sequence[tuple[int, int]]) -> list[NDArray[np.int64]]:
    """Return what headers hold.

    Parameters
    ----------
    header : [..., length] of operands of so many bits each; they may be negative.
    fields : the count of numbers in each field, and their bits.

    Returns
    -------
    For each field its numbers, [..., count].
    """
    whole = _bits(header, bits).reshape(*header.shape[:-1], header.shape[-1] * bits)
    found, start = [], 0
    for count, width in fields:
        found.append(_numbers(whole[..., start : start + count * width], count, width))
        start += count * width
    return found


def _bits(numbers: NDArray[np.integer], width: int) -> NDArray[np.int64]:
    return numbers.astype(np.int64)[..., None] >> np.arange(width) & 1


def _numbers(bits: NDArray[np.int64], count: int, width: int) -> NDArray[np.int64]:
    return (bits.reshape(*bits.shape[:-1], count, width) << np.arange(width)).sum(axis=-1)
