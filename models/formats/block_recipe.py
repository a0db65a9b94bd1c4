"""What a recipe is: how the blocks of a tensor become scales and elements.

A recipe sees a block as a row of values. `block_reference` says the same one value at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .block import BlockFormat


class Choices(NamedTuple):
    """What the caller of `BlockFormat.quantize` chose; `encode` makes codes of scaled values."""

    clip: str
    rule: str
    encode: Callable[[NDArray], NDArray[np.unsignedinteger]]


class Fitted(NamedTuple):
    """Blocks as codes: of elements [blocks, values], of each level of scales [blocks, scales], zero points likewise."""

    codes: NDArray[np.unsignedinteger]
    scales: tuple[NDArray[np.unsignedinteger], ...]
    zero_points: NDArray[np.int32] | None = None


@dataclass(frozen=True)
class Recipe:
    """A recipe, and what `BlockFormat.quantize` may ask of it; the first of several is the usual.

    Parameters
    ----------
    fit : ``fit(format, blocks, gain, choices)``, blocks being [blocks, values]. It gives back the scales of each level,
        but not that of the tensor where finer levels follow.
    gain : ``gain(format, blocks)``, what the whole tensor is multiplied by, its scale being the reciprocal; None if the
        tensor has no scale beside those of its blocks.
    levels : how many levels of scales there are; None is any number.
    rules, clips : choices.
    rounding : the rounding of elements; None leaves it to the caller.
    """

    fit: Callable[[BlockFormat, NDArray, np.float32, Choices], Fitted]
    gain: Callable[[BlockFormat, NDArray], np.float32] | None = None
    levels: int | None = 1
    rules: tuple[str, ...] = ("nearest-even",)
    clips: tuple[str, ...] = ("minmax",)
    rounding: str | None = None


def magnitude(blocks: NDArray, work: NDArray | None = None) -> NDArray:
    """Return the greatest magnitude of each block, NaN where a value is not finite; `work` is overwritten."""
    # Without its sign a float is ordered as the integer of the same bits, NaN above all, and integers are compared
    # faster; `reduceat` is less work for each of many short blocks than `max` along an axis.
    bits = np.abs(blocks, out=work).view(np.int32 if blocks.dtype == np.float32 else np.int64)
    starts = np.arange(0, bits.size, bits.shape[-1])
    greatest = np.maximum.reduceat(bits.reshape(-1), starts).view(blocks.dtype).reshape(blocks.shape[:-1])
    greatest[~np.isfinite(greatest)] = np.nan
    return greatest
