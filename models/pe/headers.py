"""Headers: what comes before the operands of a segment, as bits that are cut into codes as wide as the operands'."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..formats import BlockFormat, Format, Level
from .words import join


def stored_bits(element: Format) -> int:
    """Return the bits that an element takes in memory: 4, 8 or 16."""
    return next(bits for bits in (4, 8, 16) if element.bits <= bits)


def levels(format: BlockFormat) -> list[tuple[Level, int]]:
    """Return the scales of blocks and of parts of them, coarse to fine, and how many of each there are in a block."""
    return [(level, (format.block or 1) // level.extent) for level in format.levels if isinstance(level.extent, int)]


def insert(
    operands: NDArray[np.integer], block: int, fields: Sequence[tuple[NDArray[np.integer], int]], bits: int, length: int
) -> NDArray[np.int64]:
    """Return operands with a header before each block.

    Parameters
    ----------
    operands : [R, K], K a multiple of `block`.
    fields : what the headers hold, from their lowest bit on: numbers, the same count of each row and block in
        [R, blocks * count], and their bits.
    bits : of an operand. length : operands that a header is as long as.
    """
    rows, blocks = len(operands), operands.shape[1] // block
    parts = [
        (numbers.astype(np.int64)[..., None] >> np.arange(width) & 1).reshape(rows, blocks, -1)
        for numbers, width in fields
    ]
    whole = np.concatenate([*parts, np.zeros((rows, blocks, 0), np.int64)], axis=-1)
    padded = np.pad(whole, [(0, 0), (0, 0), (0, length * bits - whole.shape[-1])])
    header = join(padded, 1, bits).reshape(rows, blocks, length)
    return np.concatenate([header, operands.reshape(rows, blocks, block)], axis=-1).reshape(rows, -1)


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
    each = (header.astype(np.int64)[..., None] >> np.arange(bits) & 1).reshape(*header.shape[:-1], -1)
    found, start = [], 0
    for count, width in fields:
        found.append(join(each[..., start : start + count * width], 1, width))
        start += count * width
    return found
