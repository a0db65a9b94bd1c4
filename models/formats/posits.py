"""Posits: sign, a run of equal bits (the regime), exponent bits and fraction, as a string of bits cut off at n.

Source: Gustafson and Yonemoto, "Beating Floating Point at its Own Game" (2017), and the Posit Standard (2022), of which
posit(n, 2) are the formats. Rounding is on the string: what decides is the part that is cut off, whatever it means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .format import Format


def value(format: Format, rank: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the values of positive posits. Exponent and fraction bits that the regime pushed out are zeros."""
    width, exponent_bits = format.bits - 1, format.exponent_bits
    everything = (1 << width) - 1
    ones = rank >> (width - 1) == 1
    # The run ends at the first bit unlike its first, which is the leading one of `rest`.
    rest = np.where(ones, ~rank, rank) & everything
    run = width - np.frexp(rest.astype(np.float64))[1].astype(np.int64)
    regime = np.where(ones, run - 1, -run)

    tail = ((rank << (run + 1)) & everything) << exponent_bits
    scale = (regime << exponent_bits) + (tail >> width)
    fraction = (tail & everything).astype(np.float64)
    return np.where(rank == 0, 0.0, np.ldexp(1.0 + np.ldexp(fraction, -width), scale))


def split(format: Format, magnitude: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the posit below a magnitude, and the fraction that the cut-off bits are of their greatest value.

    Exponent and fraction may take 52 + es bits. Those beyond 52 are or-ed into the last one; since the cut is always
    above it, the remainder still compares with 0 and 1/2 as the whole would, and is exact in float64.
    """
    width, exponent_bits = format.bits - 1, format.exponent_bits
    lowest = (1 << exponent_bits) - 1
    limit = np.ldexp(1.0, (width - 1) << exponent_bits)
    # Nothing but 0 becomes 0 and nothing finite becomes NaR, so that magnitudes beyond the limits are those limits.
    significand, scale = np.frexp(np.clip(magnitude, 1 / limit, limit))
    scale = scale.astype(np.int64) - 1
    fraction = np.ldexp(significand, 53).astype(np.int64) - (1 << 52)
    tail = (scale & lowest) << (52 - exponent_bits) | fraction >> exponent_bits | (fraction & lowest != 0)

    regime = scale >> exponent_bits
    run = np.where(regime < 0, -regime, regime + 1)
    room = np.maximum(width - run - 1, 0)
    below = tail >> (52 - room)
    rest = np.ldexp((tail - (below << (52 - room))).astype(np.float64), room - 52)
    # A run of zeros ends with a one, a run of ones with a zero, if there is room for it.
    prefix = np.where(regime < 0, 1 << room, (1 << width) - (1 << (width - run)))
    return np.where(magnitude > 0, prefix | below, 0), np.where(magnitude > 0, rest, 0.0)
