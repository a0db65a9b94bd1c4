"""The recipe of group quantization: integers with a real scale, and perhaps with an integer that stands for 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .block_recipe import Choices, Fitted

if TYPE_CHECKING:
    from .block import BlockFormat

SHRINKS = np.linspace(0.99, 0.3, 70)
"""Fractions of the whole range among which ``"mse"`` chooses."""


def fit_integers(format: BlockFormat, blocks: NDArray, gain: np.float32, choices: Choices) -> Fitted:
    """Take the least scale that clips nothing or, for each block, the fraction of it with the least square error."""
    if not np.isfinite(blocks).all():
        wrong = blocks[~np.isfinite(blocks)][0]
        raise InputError(f"cannot quantize {wrong} to {format.name}; all values must be finite")
    blocks = blocks.astype(np.float64, copy=False)
    low, high = np.minimum(blocks.min(axis=-1), 0.0), np.maximum(blocks.max(axis=-1), 0.0)
    least, most = format.element.minimum, format.element.maximum
    if format.zero_point:
        widest = (high - low) / (most - least)
    else:
        widest = np.maximum(high / most if most else 0.0, low / least if least else 0.0)

    if (widest > format.scale.maximum).any():
        wrong = np.abs(blocks[widest > format.scale.maximum]).max()
        raise InputError(
            f"cannot quantize {wrong:g} to {format.name}: its scale would be more than {format.scale.maximum:g}, the "
            f"greatest of {format.scale.name}"
        )

    best = _round(format, blocks, widest, low)
    for shrink in SHRINKS if choices.clip == "mse" else ():
        candidate = _round(format, blocks, shrink * widest, shrink * low)
        better = candidate[0] < best[0]
        best = [
            np.where(better if new.ndim == 1 else better[:, None], new, old)
            for new, old in zip(candidate, best, strict=True)
        ]
    _, elements, scales, zero_points = best
    stored = zero_points[:, None].astype(np.int32) if format.zero_point else None
    return Fitted(choices.encode(elements), (scales[:, None],), stored)


def _round(format: BlockFormat, blocks: NDArray, wanted: NDArray, low: NDArray) -> list[NDArray]:
    """Return the square error of each block, its elements, the code of its scale and its zero point."""
    least, most = format.element.minimum, format.element.maximum
    # A block of zeros takes scale 1; a scale too small for its format must not become 0.
    codes = format.scale.encode(np.where(wanted == 0.0, 1.0, np.maximum(wanted, format.scale.decode(1))))
    scales = format.scale.decode(codes)
    zero_points = np.clip(np.rint(least - low / scales), least, most) if format.zero_point else np.zeros_like(scales)
    elements = np.clip(np.rint(blocks / scales[:, None]) + zero_points[:, None], least, most)
    error = (elements - zero_points[:, None]) * scales[:, None] - blocks
    return [np.square(error).sum(axis=-1), elements, codes, zero_points]
