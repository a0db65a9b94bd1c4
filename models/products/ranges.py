"""What a set of values has in common: the unit they are multiples of, and how far they reach. Proofs start here."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..formats import Format

Float = NDArray[np.floating]
"""float64 unless stated otherwise."""


@dataclass(frozen=True)
class Range:
    """The values n 2^exponent with integers n from -largest to largest."""

    exponent: int = 0
    largest: int = 0

    @property
    def bits(self) -> int:
        """Bits of the largest magnitude, at least 1."""
        return max(1, self.largest.bit_length())

    def __mul__(self, other: Range | int) -> Range:
        """Return the range of products with the values of another range, or of sums of so many values."""
        if isinstance(other, int):
            return Range(self.exponent, self.largest * other)
        return Range(self.exponent + other.exponent, self.largest * other.largest)

    def exact_in(self, dtype: DTypeLike) -> bool:
        """Return whether a float type holds all these values, and none of them as a subnormal."""
        info = np.finfo(dtype)
        return self.largest <= 2 ** (info.nmant + 1) and self.reached_by(dtype)

    def reached_by(self, dtype: DTypeLike) -> bool:
        """Return whether unit and largest magnitude are within the exponents of a float type."""
        info = np.finfo(dtype)
        return int(info.minexp) <= self.exponent and self.exponent + self.bits <= int(info.maxexp)

    def __str__(self) -> str:
        return f"{_power(self.largest)} units of 2^{self.exponent}"


def span(values: Float) -> Range:
    """Return the narrowest range of all finite values of a float64 array."""
    values = values[np.isfinite(values) & (values != 0)]
    if not values.size:
        return Range()
    significand, exponent = np.frexp(values)
    integer = np.ldexp(significand, 53).astype(np.int64)
    # The lowest bit that is set, as a float, has its place in its exponent.
    lowest = np.frexp((integer & -integer).astype(np.float64))[1] - 1
    unit = int((exponent - 53 + lowest).min())
    return Range(unit, int(Fraction(float(np.abs(values).max())) / Fraction(2) ** unit))


@cache
def of(format: Format) -> Range | None:
    """Return the range of all values of a format; None if it has more than 16 bits."""
    return span(format.values()) if format.bits <= 16 else None


def precision(values: Float) -> int:
    """Return how many significant bits the values of a float64 array need at most."""
    return span(np.frexp(values[np.isfinite(values)])[0]).bits


def _power(number: int) -> str:
    """Return a large number as the least power of two that is not below it."""
    return str(number) if number < 10**6 else f"2^{(number - 1).bit_length()}"
