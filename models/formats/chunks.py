"""Work on large arrays in pieces that stay in the processor's cache, whatever their layout in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike, NDArray

SIZE = 1 << 14
"""Elements of a piece: with all intermediate results of an encoder it fits an L2 cache of half a megabyte or more."""


def apply(function: Callable[[NDArray, NDArray], object], array: NDArray, dtype: DTypeLike) -> NDArray:
    """Return ``function(piece, out)`` over all of `array`, elementwise, as an array of `dtype` in the same shape.

    No temporary is larger than a piece.
    """
    pieces = np.nditer(
        [array, None],
        ["external_loop", "buffered", "zerosize_ok"],
        [["readonly"], ["writeonly", "allocate"]],
        [array.dtype, np.dtype(dtype)],
        buffersize=SIZE,
    )
    with pieces:
        for piece, out in pieces:
            function(piece, out)
        return pieces.operands[1]
