"""The recipes of formats with several levels of scales: NVFP4 and its kin, and HiF4."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .block_recipe import Choices, Fitted, magnitude
from .scalars import scalar

if TYPE_CHECKING:
    from .block import BlockFormat

BFLOAT16 = scalar("bf16")


def gain_two_level(format: BlockFormat, blocks: NDArray) -> np.float32:
    """Return the factor that takes the greatest finite magnitude to the greatest product of element and scale."""
    with np.errstate(over="ignore"):
        x = blocks.astype(np.float32, copy=False)
        greatest = max(x.max(), -x.min())
        if not np.isfinite(greatest):
            greatest = np.abs(x[np.isfinite(x)]).max(initial=0)
        if greatest == 0:
            return np.float32(1)
        gain = np.float32(format.scale.maximum * format.element.maximum) / greatest
    return np.minimum(gain, np.finfo(np.float32).max)


def fit_two_level(format: BlockFormat, blocks: NDArray, gain: np.float32, choices: Choices) -> Fitted:
    """NVFP4 as its reference recipe computes it: in float32, with products by reciprocals where one might divide.

    Elements are symmetric: int4 does not go beyond -7 (arXiv 2510.25602, section 3).
    """
    one, limit, huge = np.float32(1), np.float32(format.element.maximum), np.finfo(np.float32).max
    with np.errstate(over="ignore", divide="ignore"):
        x = blocks.astype(np.float32, copy=False)
        greatest = magnitude(x)
        codes = format.scale.encode(greatest * (gain * (one / limit)))
        scales = format.scale.decode(codes).astype(np.float32)
        scaled = x * np.minimum(one / (scales * (one / gain)), huge)[:, None]
    np.clip(scaled, -limit, limit, out=scaled)
    scaled[np.isnan(greatest)] = 0
    return Fitted(choices.encode(scaled), (codes[:, None],))


def fit_one_bit_exponents(format: BlockFormat, blocks: NDArray, gain: np.float32, choices: Choices) -> Fitted:
    """HiF4 (arXiv 2602.11287): values, the scale of a block and its reciprocal are bfloat16, their products exact.

    Below the scale of a block lie levels of one-bit exponents, which double a part of the block that would overflow.
    """
    coarse, *exponents = format.levels
    x = _bfloat16(blocks)
    peaks = [magnitude(x.reshape(len(x), -1, format.group or 1))]
    for level in reversed(format.levels[:-1]):
        count = x.shape[1] // int(level.extent)
        peaks.append(peaks[-1].reshape(len(x), count, -1).max(axis=-1))
    greatest = peaks.pop()

    largest = format.element.maximum * 2 ** len(exponents)
    codes = [coarse.scale.encode(_bfloat16(greatest * _bfloat16(1 / largest)))]
    factors = _bfloat16(1 / coarse.scale.decode(codes[0]))
    for left in range(len(exponents), 0, -1):
        peak = peaks.pop()
        factors = factors.repeat(peak.shape[1] // factors.shape[1], axis=1)
        doubled = peak * factors >= 2**left
        factors[doubled] /= 2
        codes.append(doubled.astype(np.uint8))
    scaled = x * factors.repeat(x.shape[1] // factors.shape[1], axis=1)
    scaled[np.isnan(greatest[:, 0])] = 0
    return Fitted(choices.encode(scaled), tuple(codes))


def _bfloat16(x: ArrayLike) -> NDArray[np.float32]:
    return BFLOAT16.decode(BFLOAT16.encode(x, overflow="infinity")).astype(np.float32)
