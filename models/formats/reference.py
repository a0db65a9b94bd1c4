"""The definition of every scalar format, one code and one exact fraction at a time, for readers and for tests.

`Format.decode` and `Format.encode` are the same functions over arrays, and much faster. Nothing is shared with them but
the description of the format.
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from functools import cache, lru_cache
from math import inf, nan

from .format import Format


def decode(format: Format, code: int) -> Fraction | float:
    """Return the value of a code: a fraction, or a float where it is infinite, NaN or minus zero."""
    half = 2 ** (format.bits - 1)
    if format.encoding == "odd":
        return Fraction(2 * code - (2 * half - 1))
    negative = format.signed and code >= half
    rest = code - half if negative else code
    top = 2 ** (format.bits - format.signed) - 1
    infinity = None
    if format.specials in ("ieee", "uz"):
        infinity = top if format.specials == "uz" else top - top % 2**format.mantissa_bits
    if format.encoding == "hif8":
        infinity = 0b1101111
    if format.specials in ("fnuz", "uz", "nar") and code == half:
        return nan
    if format.specials == "fn" and rest == top:
        return nan
    if rest == infinity:
        return -inf if negative else inf
    if format.specials == "ieee" and infinity is not None and rest > infinity:
        return nan
    if negative and format.encoding in ("integer", "posit"):
        return -magnitude(format, 2 * half - code)
    if negative and rest == 0 and format.subnormals:
        return -0.0
    return -magnitude(format, rest) if negative else magnitude(format, rest)


@lru_cache(maxsize=1 << 16)
def magnitude(format: Format, code: int) -> Fraction:
    """Return the value of a non-negative code; integers and floats go on beyond their width in the same way."""
    if format.encoding == "odd":
        return Fraction(2 * code + 1)
    if format.encoding == "integer":
        return code * Fraction(2) ** -format.bias
    if format.encoding == "posit":
        return _posit(f"{code:0{format.bits - 1}b}", format.exponent_bits) if code else Fraction(0)
    if format.encoding == "hif8":
        return _hif8(f"{code:07b}")
    exponent, fraction = divmod(code, 2**format.mantissa_bits)
    significand = Fraction(fraction, 2**format.mantissa_bits)
    if exponent > 0 or not format.subnormals:
        return (1 + significand) * Fraction(2) ** (exponent - format.bias)
    return significand * Fraction(2) ** (1 - format.bias)


def _posit(string: str, exponent_bits: int) -> Fraction:
    run = len(string) - len(string.lstrip(string[0]))
    regime = run - 1 if string[0] == "1" else -run
    rest = string[run + 1 :]
    exponent = int(rest[:exponent_bits].ljust(exponent_bits, "0") or "0", 2)
    return _significand(rest[exponent_bits:]) * Fraction(2) ** (regime * 2**exponent_bits + exponent)


def _hif8(string: str) -> Fraction:
    if string.startswith("0000"):
        low = int(string[4:], 2)
        return Fraction(2) ** (low - 23) if low else Fraction(0)
    dot, size = next((dot, size) for dot, size in HIF8_DOTS.items() if string.startswith(dot))
    field, mantissa = string[len(dot) :][:size], string[len(dot) + size :]
    exponent = int("1" + field[1:], 2) if field else 0
    return _significand(mantissa) * Fraction(2) ** (-exponent if field.startswith("1") else exponent)


@cache
def _hif8_ladder() -> list[tuple[Fraction, int]]:
    """Return magnitudes and their codes in increasing order; the last stands for infinity."""
    return sorted((_hif8(f"{code:07b}"), code) for code in range(128))


HIF8_DOTS = {"11": 4, "10": 3, "01": 2, "001": 1, "0001": 0}
"""Exponent bits that follow each dot field, the prefix code of HiF8."""


def _significand(mantissa: str) -> Fraction:
    return 1 + Fraction(int(mantissa or "0", 2), 2 ** len(mantissa))


def encode(format: Format, x: Fraction, rounding: str = "nearest-even") -> int:
    """Return the code of `x`, saturated at the greatest and the least finite value; all zeros are positive."""
    below, lost = split(format, abs(x))
    half = Fraction(1, 2)
    away = {
        "nearest-even": lost > half or (lost == half and below % 2 == 1),
        "nearest-away": lost >= half,
        "toward-zero": False,
        "up": lost > 0 and x > 0,
        "down": lost > 0 and x < 0,
    }
    rank = min(below + away[rounding], format.largest_negative if x < 0 else format.largest)
    sign = 2 ** (format.bits - 1)
    if format.encoding == "odd":
        return sign - 1 - rank if x < 0 else sign + rank
    if format.encoding == "hif8":
        rank = _hif8_ladder()[rank][1]
    if x >= 0 or not format.signed or (rank == 0 and format.specials in ("fnuz", "uz")):
        return rank
    return rank + sign if format.encoding in ("float", "hif8") else -rank % (2 * sign)


def split(format: Format, x: Fraction) -> tuple[int, Fraction]:
    """Return how many magnitudes other than the least are at most `x`, and how far it is towards the next one.

    In a posit that is the number that the cut-off bits make after a binary point.
    """
    if format.encoding == "posit":
        greatest = Fraction(2) ** ((format.bits - 2) * 2**format.exponent_bits)
        if x == 0 or x <= 1 / greatest or x >= greatest:
            return (0 if x == 0 else 1 if x < 1 else 2 ** (format.bits - 1) - 1), Fraction(0)
        head, fraction = _posit_head(x, format.exponent_bits)
        below, lost = divmod((int(head, 2) + fraction) * Fraction(2) ** (format.bits - 1 - len(head)), 1)
        return int(below), lost
    if format.encoding == "hif8":
        ladder = [value for value, _ in _hif8_ladder()]
        x = min(x, ladder[-1])
        below = bisect_right(ladder, x) - 1
        above = ladder[min(below + 1, 127)]
        return below, (x - ladder[below]) / ((above - ladder[below]) or 1)
    below = bisect_right(range(2 ** (format.bits + 1)), x, key=lambda code: magnitude(format, code)) - 1
    if below < 0:
        return 0, Fraction(0)
    lower, upper = magnitude(format, below), magnitude(format, below + 1)
    return below, (x - lower) / (upper - lower)


def _posit_head(x: Fraction, exponent_bits: int) -> tuple[str, Fraction]:
    """Return regime and exponent of a positive posit as bits, and its fraction, whose bits follow and may never end."""
    scale = x.numerator.bit_length() - x.denominator.bit_length()
    scale -= Fraction(2) ** scale > x
    regime, exponent = divmod(scale, 2**exponent_bits)
    head = "1" * (regime + 1) + "0" if regime >= 0 else "0" * -regime + "1"
    return head + (f"{exponent:0{exponent_bits}b}" if exponent_bits else ""), x / Fraction(2) ** scale - 1
