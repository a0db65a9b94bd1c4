"""Encodings: how the codes of a format's magnitudes are laid out.

In every encoding the codes of the non-negative values 0, 1, 2, ... stand for increasing magnitudes. An encoding is
therefore two functions, blind to signs, limits and special values, which `format` adds:

- ``value(format, code)``: the magnitude of a code;
- ``split(format, magnitude)``: the code below a magnitude, and the fraction of the step to the next code that is left.

and the way in which a negative value is written: by a sign bit, or as the two's complement of the whole code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .format import Format


@dataclass(frozen=True)
class Encoding:
    """The two functions of an encoding (see the module) and how it writes negative values."""

    value: Callable[[Format, NDArray[np.int64]], NDArray[np.float64]]
    split: Callable[[Format, NDArray[np.float64]], tuple[NDArray[np.int64], NDArray[np.float64]]]
    twos_complement: bool


def _integer_value(format: Format, code: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.ldexp(code.astype(np.float64), -format.bias)


def _integer_split(format: Format, magnitude: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    # Anything beyond 2**bits overflows in the same way, and a float beyond 2**63 has no int64.
    steps = np.minimum(np.ldexp(magnitude, format.bias), 2.0**format.bits)
    below = np.floor(steps)
    return below.astype(np.int64), steps - below


def _float_value(format: Format, code: NDArray[np.int64]) -> NDArray[np.float64]:
    hidden = 1 << format.mantissa_bits
    exponent = code >> format.mantissa_bits
    significand = (code & (hidden - 1)) + np.where(exponent > 0, hidden, 0)
    return np.ldexp(significand.astype(np.float64), np.maximum(exponent, 1) - format.bias - format.mantissa_bits)


def _float_split(format: Format, magnitude: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    smallest = 1 - format.bias
    exponent = np.maximum(np.where(magnitude > 0, np.frexp(magnitude)[1] - 1, smallest), smallest)
    significand = np.ldexp(magnitude, format.mantissa_bits - exponent)
    below = np.floor(significand)
    # The hidden bit of a normal number carries into the exponent field, so subnormals need no case of their own.
    code = ((exponent - smallest).astype(np.int64) << format.mantissa_bits) + below.astype(np.int64)
    return code, significand - below


ENCODINGS = {
    "integer": Encoding(_integer_value, _integer_split, twos_complement=True),
    "float": Encoding(_float_value, _float_split, twos_complement=False),
}
