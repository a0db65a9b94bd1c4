"""Scalar formats as integers: what a decoder at the edge of a tile gives to the cells.

The values of an integer, a minifloat or an fp16 are multiples of its smallest one. In that unit a cell multiplies and
sums integers, whatever the format: fp16 in units of 2^-24 takes 42 bits. Aligning activations is thereby done once for
a row and not in every cell, and no sum is ever rounded.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..formats import scalar


class FixedPoint(NamedTuple):
    """A format as signed integers of `bits` bits, in units of 2^`exponent`; `largest` is their greatest magnitude."""

    exponent: int
    bits: int
    largest: int


@cache
def fixed_point(name: str) -> FixedPoint:
    """Return a scalar format as integers. Codes of infinity and NaN count as the numbers that a decoder makes of them.

    Raises
    ------
    InputError : if the format is neither an integer nor a float with sign and subnormals.
    """
    element = scalar(name)
    if element.encoding == "integer":
        low, high = (int(np.ldexp(value, element.bias)) for value in (element.minimum, element.maximum))
        return FixedPoint(-element.bias, element.bits + (not element.signed), max(-low, high))
    if element.encoding != "float" or not element.subnormals or not element.signed:
        raise InputError(f"{name} is neither an integer nor a float with sign and subnormals")
    mantissa = element.mantissa_bits
    largest = ((2 << mantissa) - 1) << max((1 << element.exponent_bits) - 2, 0)
    return FixedPoint(1 - element.bias - mantissa, largest.bit_length() + 1, largest)


def numbers(codes: NDArray[np.integer], name: str) -> NDArray[np.int64]:
    """Return the integers of the codes of a scalar format, in its unit."""
    element = scalar(name)
    if element.encoding == "integer":
        return element.integers(codes).astype(np.int64)
    codes, mantissa = codes.astype(np.int64), element.mantissa_bits
    field = codes >> mantissa & (1 << element.exponent_bits) - 1
    significand = codes & (1 << mantissa) - 1 | (field > 0).astype(np.int64) << mantissa
    magnitude = significand << np.maximum(field - 1, 0)
    return np.where(codes >> element.bits - 1 & 1, -magnitude, magnitude)
