"""Encodings: how the codes of a format are laid out.

The magnitudes of a format have ranks 0, 1, 2, ... in increasing order; in most encodings a rank is the code without its
sign. An encoding is four functions over arrays, blind to limits, special values and rounding, which `codec` adds:

- ``value(format, rank)``: the magnitude of a rank;
- ``split(format, magnitude)``: the rank below a magnitude, and the fraction of the way to the next rank that is left;
- ``read(format, codes)``: which codes have the sign of negative values, and the ranks of their magnitudes;
- ``write(format, rank, negative)``: the inverse of `read`.

Within [2^e, 2^(e+1)) the sum of rank and fraction is a straight line over the magnitude whose slope is a power of two;
`fast` relies on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from . import hif8, posits

if TYPE_CHECKING:
    from .format import Format

Ranks = NDArray[np.int64]


@dataclass(frozen=True)
class Encoding:
    """The four functions of an encoding (see the module)."""

    value: Callable[[Format, Ranks], NDArray[np.float64]]
    split: Callable[[Format, NDArray[np.float64]], tuple[Ranks, NDArray[np.float64]]]
    read: Callable[[Format, NDArray[np.int64]], tuple[NDArray[np.bool_], Ranks]]
    write: Callable[[Format, Ranks, NDArray[np.bool_]], NDArray[np.int64]]


def _read_sign_bit(format: Format, codes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], Ranks]:
    return codes & format.sign != 0, codes & ~format.sign


def _write_sign_bit(format: Format, rank: Ranks, negative: NDArray[np.bool_]) -> NDArray[np.int64]:
    # Where the code of -0 is NaN, all zeros are positive.
    return rank | np.where(negative & ((rank != 0) | (format.nan != format.sign)), format.sign, 0)


def _read_complement(format: Format, codes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], Ranks]:
    negative = codes & format.sign != 0
    return negative, np.where(negative, (1 << format.bits) - codes, codes)


def _write_complement(format: Format, rank: Ranks, negative: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.where(negative, -rank, rank) & ((1 << format.bits) - 1)


def _read_offset(format: Format, codes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], Ranks]:
    negative = codes & format.sign == 0
    return negative, np.where(negative, ~codes, codes) & (format.sign - 1)


def _write_offset(format: Format, rank: Ranks, negative: NDArray[np.bool_]) -> NDArray[np.int64]:
    return format.sign + np.where(negative, ~rank, rank)


def _integer_value(format: Format, rank: Ranks) -> NDArray[np.float64]:
    return np.ldexp(rank.astype(np.float64), -format.bias)


def _integer_split(format: Format, magnitude: NDArray[np.float64]) -> tuple[Ranks, NDArray[np.float64]]:
    # Anything beyond 2**bits overflows in the same way, and a float beyond 2**63 has no int64.
    steps = np.minimum(np.ldexp(magnitude, format.bias), 2.0**format.bits)
    below = np.floor(steps)
    return below.astype(np.int64), steps - below


def _odd_value(format: Format, rank: Ranks) -> NDArray[np.float64]:
    return rank.astype(np.float64) * 2.0 + 1.0


def _odd_split(format: Format, magnitude: NDArray[np.float64]) -> tuple[Ranks, NDArray[np.float64]]:
    return _integer_split(format, np.maximum(magnitude - 1.0, 0.0) / 2)


def _float_value(format: Format, rank: Ranks) -> NDArray[np.float64]:
    hidden = 1 << format.mantissa_bits
    exponent = rank >> format.mantissa_bits
    significand = (rank & (hidden - 1)) + np.where(exponent >= format.subnormals, hidden, 0)
    return np.ldexp(
        significand.astype(np.float64),
        np.maximum(exponent, int(format.subnormals)) - format.bias - format.mantissa_bits,
    )


def _float_split(format: Format, magnitude: NDArray[np.float64]) -> tuple[Ranks, NDArray[np.float64]]:
    smallest = int(format.subnormals) - format.bias
    if not format.subnormals:
        magnitude = np.maximum(magnitude, np.ldexp(1.0, smallest))
    exponent = np.maximum(np.where(magnitude > 0, np.frexp(magnitude)[1] - 1, smallest), smallest)
    significand = np.ldexp(magnitude, format.mantissa_bits - exponent)
    below = np.floor(significand)
    # The hidden bit of a normal number carries into the exponent field, so subnormals need no case of their own.
    rank = ((exponent - smallest).astype(np.int64) << format.mantissa_bits) + below.astype(np.int64)
    return rank - (0 if format.subnormals else 1 << format.mantissa_bits), significand - below


ENCODINGS = {
    "integer": Encoding(_integer_value, _integer_split, _read_complement, _write_complement),
    "odd": Encoding(_odd_value, _odd_split, _read_offset, _write_offset),
    "float": Encoding(_float_value, _float_split, _read_sign_bit, _write_sign_bit),
    "posit": Encoding(posits.value, posits.split, _read_complement, _write_complement),
    "hif8": Encoding(hif8.value, hif8.split, hif8.read, hif8.write),
}
