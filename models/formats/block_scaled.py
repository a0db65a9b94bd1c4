"""The recipe of floats and posits with a real scale for each channel: the format's own rounding of x / scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .block_recipe import Choices, Fitted

if TYPE_CHECKING:
    from .block import BlockFormat


def fit_scaled(format: BlockFormat, blocks: NDArray, gain: np.float32, choices: Choices) -> Fitted:
    """Scale the greatest magnitude of a block to that of the format; for posits the typical one to 1.

    Posits are most precise around 1, and what is far from it is still in range: the root of the mean square becomes 1.
    """
    if not np.isfinite(blocks).all():
        raise InputError(f"cannot quantize {blocks[~np.isfinite(blocks)][0]} to {format.name}; values must be finite")
    blocks = blocks.astype(np.float64, copy=False)
    if format.element.encoding == "posit":
        wanted = np.sqrt(np.square(blocks).mean(axis=-1))
    else:
        wanted = np.abs(blocks).max(axis=-1) / format.element.maximum
    # A block of zeros takes scale 1; a scale too small for its format must not become 0.
    codes = format.scale.encode(np.where(wanted == 0, 1.0, np.maximum(wanted, format.scale.decode(1))))
    return Fitted(choices.encode(blocks / format.scale.decode(codes)[:, None]), (codes[:, None],))
