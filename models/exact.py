"""Exact integer matrix products through BLAS.

Floating-point arithmetic is exact as long as no intermediate value needs more bits than the significand has. BLAS may
add the products of a row and a column in any order, so the proof bounds the sum of their magnitudes, which bounds every
partial sum: K max|a| max|b|. Where that bound is at most 2^24 the product runs in float32, up to 2^53 in float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import InputError


def matmul(a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the exact product of two integer matrices.

    Parameters
    ----------
    a, b : integers of any width, shapes [M, K] and [K, N] (leading axes broadcast as in `numpy.matmul`).

    Returns
    -------
    int64 [M, N].

    Raises
    ------
    InputError : if the sums could exceed 2^53, where float64 stops being exact.
    """
    bound = a.shape[-1] * _magnitude(a) * _magnitude(b)
    for dtype, exact in ((np.float32, 2**24), (np.float64, 2**53)):
        if bound <= exact:
            return (a.astype(dtype) @ b.astype(dtype)).astype(np.int64)
    raise InputError(f"K = {a.shape[-1]}: sums could reach {bound}, the exact product takes at most 2^53 = {2**53}")


def _magnitude(values: NDArray[np.integer]) -> int:
    """Return the largest absolute value, as a Python integer because -(-128) does not fit int8."""
    return max(-int(values.min(initial=0)), int(values.max(initial=0)))
