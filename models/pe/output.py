"""The output stage: ReLU, dyadic rescaling and one rounding, from accumulators to the next layer's operands.

Multiplying by b / 2^c in place of a real number keeps inference free of division (HAWQ-V3, arXiv 2011.10680, section
3.1). An accumulator has at most 32 significant bits and b has 16, so their product is exact in float64 and the
conversion to the output format is the only rounding.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, unknown
from ..formats import scalar

LATENCY = 5
"""Cycles from an accumulator to its rounded value in the circuit (`dyad.rtl.output.Output`)."""

FORMATS = ("int8", "fp16", "fp32")
"""Output formats, in the order of their codes in the circuit."""

POSITS = ("posit(8,0)", "posit(16,1)", "posit(4,1)")
"""Output formats of circuits that are built for them, whose codes follow."""


def rescale(
    accumulator: NDArray[np.int32] | NDArray[np.float32],
    multiplier: ArrayLike,
    shift: ArrayLike,
    relu: bool,
    format_name: str,
) -> NDArray[np.int8] | NDArray[np.float16] | NDArray[np.float32] | NDArray[np.unsignedinteger]:
    """Return accumulator * multiplier / 2^shift, after an optional ReLU, rounded once to nearest even.

    Parameters
    ----------
    accumulator : int32 or float32 [M, N]; a float32 accumulator is finite or, where the circuit is built for posits,
        NaN.
    multiplier : integers 0..65535, shape [N] or any that broadcasts.
    shift : integers 0..63, as `multiplier`.
    relu : whether negative accumulators become +0.
    format_name : ``int8`` saturates; ``fp16`` and ``fp32`` overflow to infinity, and a negative accumulator keeps its
        sign when it rounds to zero. Posits are returned as codes: only 0 becomes 0, and only NaN becomes NaR. In int8
        NaN is 0.

    Raises
    ------
    InputError : if the format is not one of these or a multiplier or a shift is out of range.
    """
    if format_name not in FORMATS + POSITS:
        raise unknown("output format", format_name, FORMATS + POSITS)
    multiplier = _integers("multiplier", multiplier, 65535)
    shift = _integers("shift", shift, 63)
    if relu:
        accumulator = np.where((accumulator > 0) | np.isnan(accumulator), accumulator, accumulator.dtype.type(0))
    value = np.ldexp(accumulator.astype(np.float64) * multiplier, -shift)
    if format_name in POSITS:
        return scalar(format_name).encode(value)
    if format_name == "int8":
        return np.clip(np.rint(np.nan_to_num(value)), -128, 127).astype(np.int8)
    with np.errstate(over="ignore"):
        if format_name == "fp16":
            return value.astype(np.float16)
        return value.astype(np.float32)


def dyadic(real: ArrayLike) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Return the nearest b / 2^c to real numbers, with b in 32768..65535 wherever c in 0..63 allows it.

    Parameters
    ----------
    real : finite numbers from 0 to 65535, any shape.

    Returns
    -------
    b : uint16, shape of `real`.
    c : uint8, shape of `real`; 0 where the number is 0.

    Raises
    ------
    InputError : if a number is negative, too large or not finite.
    """
    real = np.asarray(real, np.float64)
    fits = (real >= 0) & (real < 65535.5)
    if not fits.all():
        raise InputError(f"scale {real[~fits].flat[0]:g} is not b / 2^c: it must lie between 0 and 65535")
    c = np.where(real == 0, 0, np.clip(16 - np.frexp(real)[1], 0, 63))
    b = np.rint(np.ldexp(real, c)).astype(np.int64)
    carry = b > 65535
    return np.where(carry, b >> 1, b).astype(np.uint16), (c - carry).astype(np.uint8)


def _integers(what: str, values: ArrayLike, largest: int) -> NDArray[np.int64]:
    values = np.asarray(values, np.int64)
    outside = (values < 0) | (values > largest)
    if outside.any():
        raise InputError(f"{what} {values[outside].flat[0]} is outside 0..{largest}")
    return values
