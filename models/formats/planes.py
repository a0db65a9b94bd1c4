"""Bit planes: an unsigned b-bit weight q as the odd integer 2 q - (2^b - 1), which is a sum of planes of -1 and +1.

Plane i has the weight 2^i and is +1 where bit i of q is set, so that a product with q becomes b products with signs and
one correction by the sum of the activations. The format ``odd4`` is that integer as a format of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError


def split(codes: ArrayLike, bits: int) -> NDArray[np.int8]:
    """Return the planes of unsigned codes, the least significant first.

    Parameters
    ----------
    codes : unsigned integers of at most `bits` bits, any shape.
    bits : number of planes, 1 to 16.

    Returns
    -------
    int8 [bits, ...] of -1 and +1.

    Raises
    ------
    InputError : if a code is not an integer of that width.
    """
    codes = np.asarray(codes)
    if codes.dtype.kind not in "iu":
        raise InputError(f"codes of bit planes must be integers, not {codes.dtype}")
    if not 1 <= bits <= 16:
        raise InputError(f"{bits} bit planes; there can be 1 to 16")
    if codes.size and not 0 <= codes.min() <= codes.max() < 1 << bits:
        raise InputError(f"code {codes.min() if codes.min() < 0 else codes.max()} does not fit {bits} bit planes")
    places = np.arange(bits).reshape(-1, *[1] * codes.ndim)
    return ((codes.astype(np.uint16) >> places & 1).astype(np.int8) << 1) - np.int8(1)


def join(planes: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return the odd integers that planes [bits, ...] of -1 and +1 add up to."""
    return np.tensordot(1 << np.arange(len(planes)), planes.astype(np.int64), axes=1)
