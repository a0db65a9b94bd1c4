"""Fast encoders, made out of the exact one of `codec` and giving the same codes.

By table
    A float32 is known to this path by its upper 16 bits and by whether any of the lower 16 is set: 131072 cases. An odd
    case is an open interval between two neighbouring bfloat16 values. Rounding is monotone, so that one code serves the
    interval if both of its ends have it; if that is so in every interval the table is exact, else there is none.
By bits
    Formats that are float32 with a shorter mantissa are rounded to nearest even by one integer addition, and fp16 by
    NumPy itself.
By lines
    Within a binade the rank, with what is lost of it as a fraction, is a straight line over the magnitude, whose slope
    is a power of two (see `encodings`). A table over sign and exponent gives offset and slope; a float32 on such a line
    is exact in float64 unless a format has about as many bits as float32, and is then rounded by one NumPy function.

A float64 is first rounded to odd in float32: cut towards zero, with the last bit set if anything was lost. If the
values of the format and the middles between them fit float32 with bits to spare, none of them has that last bit, so
that the result lies on the same side of all of them; else only the exact encoder will do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from . import codec
from .encodings import ENCODINGS
from .rounding import RULES

if TYPE_CHECKING:
    from .format import Format

Encoder = Callable[[NDArray, NDArray], bool]
"""``encoder(x, out) -> bool``: writes the codes of `x` to `out`, or returns False if they need the exact encoder."""


ROUNDINGS: dict[str, Callable[[NDArray], NDArray]] = {
    "nearest-even": np.rint,
    "nearest-away": lambda line: np.trunc(line + np.copysign(0.5, line)),
    "toward-zero": np.trunc,
    "up": np.ceil,
    "down": np.floor,
}
"""The rules of `rounding.RULES` for whole numbers with a sign."""


@cache
def encoder(format: Format, rounding: str, beyond: int | None, dtype: np.dtype) -> Encoder | None:
    """Return the fastest encoder of arrays of `dtype`, float32 or float64; None if only the exact one will do."""
    if rounding not in ROUNDINGS:
        return None
    encode = _by_table(format, rounding, beyond) or _by_bits(format, rounding) or _by_lines(format, rounding, beyond)
    if dtype == np.float32 or encode is None:
        return encode
    return (lambda x, out: encode(_to_odd(x), out)) if _fits_float32(format) else None


def _fits_float32(format: Format) -> bool:
    """Return whether float32 tells values and middles of a format from all others with its last bit unused."""
    rules = ENCODINGS[format.encoding]
    least = min(float(rules.value(format, np.array(rank))) or 1.0 for rank in (0, 1))
    return format.bits <= 21 and least >= 2.0**-140 and max(format.maximum, -format.minimum) < 2.0**128


@cache
def _table(format: Format, rounding: str, beyond: int | None) -> NDArray | None:
    """Return the codes of the 131072 cases, or None if one code does not serve each."""
    bits = np.arange(1 << 16, dtype=np.uint32) << 16
    with np.errstate(invalid="ignore"):  # signalling NaNs
        exact, first, last = (
            codec.encode(format, (bits | low).view(np.float32).astype(np.float64), RULES[rounding], beyond)
            for low in (0, 1, 0xFFFF)
        )
    return np.stack([exact, first], axis=1).ravel().astype(format.dtype) if np.array_equal(first, last) else None


def _by_table(format: Format, rounding: str, beyond: int | None) -> Encoder | None:
    table = _table(format, rounding, beyond) if format.bits <= 16 else None
    if table is None:
        return None

    def encode(x: NDArray, out: NDArray) -> bool:
        bits = x.view(np.uint32)
        # Only negative NaNs are carried out of 32 bits; they end at the last case of positive ones.
        table.take((bits >> 16) + ((bits + 0xFFFF) >> 16), out=out, mode="clip")
        return True

    return encode


def _to_odd(x: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return float64 values rounded to odd in float32; what is beyond its range becomes its limits, which are odd."""
    nearest = x.astype(np.float32)
    back = nearest.astype(np.float64)
    bits = nearest.view(np.int32)
    bits -= np.abs(back) > np.abs(x)
    bits |= back != x
    return nearest


def _by_bits(format: Format, rounding: str) -> Encoder | None:
    kind = (format.encoding, format.signed, format.specials, format.subnormals, format.exponent_bits, format.bias)
    half = kind == ("float", True, "ieee", True, 5, 15) and format.bits == 16
    cut = 23 - format.mantissa_bits
    if rounding != "nearest-even" or not (half or (kind == ("float", True, "ieee", True, 8, 127) and cut > 0)):
        return None

    limit = np.float32(format.maximum).view(np.uint32)

    def encode(x: NDArray, out: NDArray) -> bool:
        bits = x.view(np.uint32)
        if (bits & 0x7FFFFFFF).max(initial=0) > limit:
            return False
        if half:
            out[...] = x.astype(np.float16).view(np.uint16)
        else:
            out[...] = (bits + (bits >> cut & 1) + ((1 << (cut - 1)) - 1)) >> cut
        return True

    return encode


def _by_lines(format: Format, rounding: str, beyond: int | None) -> Encoder | None:
    lines = _lines(format)
    if lines is None:
        return None
    offsets, slopes = lines
    rules, integral = ENCODINGS[format.encoding], ROUNDINGS[rounding]
    zero = rules.split(format, np.array([2.0**-1000]))[0][0] == 0
    low, high = -format.largest_negative, format.largest

    def encode(x: NDArray, out: NDArray) -> bool:
        field = x.view(np.uint32) >> 23
        line = slopes.take(field)
        line *= x
        line += offsets.take(field)
        # Infinities and NaNs; and in formats whose magnitudes never become 0, subnormals.
        if np.isnan(line).any() or not (zero or np.array_equal(line == 0, x == 0)):
            return False
        line = integral(line)
        if beyond is not None and (line.min() < low or line.max() > high):
            return False
        rank = np.abs(np.clip(line, low, high)).astype(np.int64)
        out[...] = rules.write(format, rank, np.signbit(x))
        return True

    return encode


@cache
def _lines(format: Format) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return offsets and slopes by the upper nine bits of a float32, or None if float64 is too short for them."""
    split = ENCODINGS[format.encoding].split
    start = np.ldexp(1.0, np.arange(-126, 128))
    rank, fraction = split(format, start)
    middle, later = split(format, 1.5 * start)
    slope = 2 * (middle - rank + (later - fraction)) / start
    offset = (rank - slope * start) + fraction
    # Zero and float32's subnormals have one field, so that one line through 0 must serve them; and the last of the
    # 24 bits must stay within the 53 of float64 beside the greatest rank of the binade.
    long = (offset != 0) & (slope > 0) & (rank + 1.0 > slope * start * 2.0 ** (52 - 23))
    if (slope[0] and offset[0]) or long.any():
        return None
    # The last field is that of infinities and NaNs.
    offset = np.concatenate([[0.0], offset, [np.nan]])
    slope = np.concatenate([slope[:1], slope, [np.nan]])
    return np.concatenate([offset, -offset]), np.concatenate([slope, slope])
