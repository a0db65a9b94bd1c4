"""HiF8: eight bits with a tapered precision of 3, 2, 1 or 0 mantissa bits (arXiv 2409.16626, section 3).

After the sign comes the dot field, a prefix code that says how many exponent bits follow: ``11`` four, ``10`` three,
``01`` two, ``001`` one, ``0001`` none; what is left is mantissa. An exponent field is its sign and the bits below its
leading one. ``0000`` marks the powers of two below all these, and 0. Codes are therefore not in the order of their
values, so that ranks are translated by tables.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .format import Format


@cache
def _values() -> NDArray[np.float64]:
    """Return the magnitudes of codes 0 to 127; the last in rank, which is infinity, as if it were a number."""
    least = np.ldexp(1.0, np.arange(8) - 23)
    least[0] = 0.0
    rows = [least, 1.0 + np.arange(8) / 8]
    for exponent_bits, mantissa_bits in ((1, 3), (2, 3), (3, 2), (4, 1)):
        size = 1 << (exponent_bits - 1)
        mantissa = 1.0 + np.arange(1 << mantissa_bits) / (1 << mantissa_bits)
        for sign in (1, -1):
            exponent = sign * (size + np.arange(size))
            rows.append(np.ldexp(mantissa, exponent[:, None]).ravel())
    return np.concatenate(rows)


@cache
def _order() -> NDArray[np.int64]:
    """Return the codes of the magnitudes in increasing order, and after them that of NaN."""
    return np.append(np.argsort(_values()), 128)


def value(format: Format, rank: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the magnitudes of ranks."""
    return np.sort(_values())[rank]


def split(format: Format, magnitude: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the rank below a magnitude and the fraction of the way to the next."""
    ladder = np.sort(_values())
    magnitude = np.minimum(magnitude, ladder[-1])
    below = np.searchsorted(ladder, magnitude, side="right") - 1
    step = np.append(np.diff(ladder), 1.0)[below]
    return below, (magnitude - ladder[below]) / step


def read(format: Format, codes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which codes have the sign bit, and the ranks of their magnitudes."""
    return codes >= 128, np.argsort(_order())[codes & 127]


def write(format: Format, rank: NDArray[np.int64], negative: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the codes of ranks; there is no -0, whose code is NaN."""
    return _order()[rank] | np.where(negative & (rank > 0), 128, 0)
