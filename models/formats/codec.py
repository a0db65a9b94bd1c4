"""The exact codec: it adds limits, special values and rounding to the magnitudes of an encoding.

`Format.decode` is this `decode`, by table where there are few codes. `Format.encode` must come to the same as this
`encode`; whatever `fast` does not take comes here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .encodings import ENCODINGS
from .rounding import Rule

if TYPE_CHECKING:
    from .format import Format


def decode(format: Format, codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the values of codes that fit the format."""
    rules = ENCODINGS[format.encoding]
    negative, rank = rules.read(format, codes)
    value = rules.value(format, rank)
    if format.infinity is not None:
        value = np.where(rank == format.infinity, np.inf, value)
    if format.specials == "ieee":
        value = np.where(rank > (format.infinity or 0), np.nan, value)
    elif format.specials == "fn":
        value = np.where(rank == format.nan, np.nan, value)
    elif format.nan is not None:
        value = np.where(codes == format.nan, np.nan, value)
    return np.where(negative, -value, value)


def encode(format: Format, x: NDArray[np.float64], decide: Rule, beyond: int | None) -> NDArray[np.int64]:
    """Return the codes of `x`, rounded by `decide`; `beyond` is the rank of what overflows, None to saturate."""
    rules = ENCODINGS[format.encoding]
    negative = np.signbit(x)
    missing = ~np.isfinite(x) if format.specials == "nar" else np.isnan(x)
    rank, fraction = rules.split(format, np.where(np.isfinite(x), np.abs(x), 0.0))
    rank = rank + decide(fraction, rank % 2 == 1, negative)
    limit = np.where(negative, format.largest_negative, format.largest)
    overflow = limit
    if beyond is not None:
        # Finite values stay finite in roundings that would not even round up what is almost the next rank.
        away = decide(np.full(x.shape, np.nextafter(1.0, 0.0)), rank % 2 == 1, negative)
        overflow = np.where(away | np.isinf(x), beyond, limit)
    rank = np.where((rank > limit) | np.isinf(x), overflow, rank)
    return np.where(missing, format.nan or 0, rules.write(format, rank, negative))
