"""The definition of every scalar format, one code and one exact fraction at a time, for readers and for tests.

`Format.decode` and `Format.encode` are the same functions over arrays, and much faster.
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from math import inf, nan

from .format import Format


def magnitude(format: Format, code: int) -> Fraction:
    """Return the value of a non-negative code; codes beyond the width of the format go on in the same way."""
    if format.encoding == "integer":
        return code * Fraction(2) ** -format.bias
    exponent, fraction = divmod(code, 2**format.mantissa_bits)
    significand = Fraction(fraction, 2**format.mantissa_bits) + (exponent > 0)
    return significand * Fraction(2) ** (max(exponent, 1) - format.bias)


def decode(format: Format, code: int) -> Fraction | float:
    """Return the value of a code: a fraction, or a float where it is infinite, NaN or minus zero."""
    half = 2 ** (format.bits - 1)
    negative = format.signed and code >= half
    if format.encoding == "integer":
        return magnitude(format, code) if not negative else -magnitude(format, 2 * half - code)
    rest = code - half if negative else code
    top = 2 ** (format.bits - format.signed) - 1
    greatest = top >> format.mantissa_bits << format.mantissa_bits
    if format.specials == "ieee" and rest >= greatest:
        return nan if rest > greatest else -inf if negative else inf
    if (format.specials == "fn" and rest == top) or (format.specials == "fnuz" and code == half):
        return nan
    if negative and rest == 0:
        return -0.0
    return -magnitude(format, rest) if negative else magnitude(format, rest)


def encode(format: Format, x: Fraction, rounding: str = "nearest-even") -> int:
    """Return the code of `x`, saturated at the greatest and the least finite value."""
    code = bisect_right(range(2 ** (format.bits + 1)), abs(x), key=lambda code: magnitude(format, code)) - 1
    lost, step = abs(x) - magnitude(format, code), magnitude(format, code + 1) - magnitude(format, code)
    away = {
        "nearest-even": 2 * lost > step or (2 * lost == step and code % 2 == 1),
        "nearest-away": 2 * lost >= step,
        "toward-zero": False,
        "up": lost > 0 and x > 0,
        "down": lost > 0 and x < 0,
    }
    code += away[rounding]
    limit = Fraction(format.maximum if x > 0 else format.minimum)
    if magnitude(format, code) > abs(limit):
        return encode(format, limit)
    has_minus_zero = format.signed and format.specials != "fnuz"
    if x >= 0 or (code == 0 and not has_minus_zero):
        return code
    return -code % 2**format.bits if format.encoding == "integer" else code + 2 ** (format.bits - 1)
