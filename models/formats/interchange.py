"""Exchange of codes with ml_dtypes and NumPy arrays, without copies wherever both lay out a code in the same way.

ml_dtypes (https://github.com/jax-ml/ml_dtypes) is optional. As here, its formats of less than 8 bits take a whole byte,
whose upper bits are 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from . import scalars
from .format import Format

NUMPY = {"fp16": "float16", "fp32": "float32", "int8": "int8", "int16": "int16", "uint8": "uint8", "uint16": "uint16"}
ML_DTYPES = {
    "bf16": "bfloat16",
    "e2m1": "float4_e2m1fn",
    "e2m3": "float6_e2m3fn",
    "e3m2": "float6_e3m2fn",
    "e3m4": "float8_e3m4",
    "e4m3": "float8_e4m3fn",
    "e4m3ieee": "float8_e4m3",
    "e4m3fnuz": "float8_e4m3fnuz",
    "e4m3b11fnuz": "float8_e4m3b11fnuz",
    "e5m2": "float8_e5m2",
    "e5m2fnuz": "float8_e5m2fnuz",
    "e8m0": "float8_e8m0fnu",
    "int1": "int1",
    "int2": "int2",
    "int4": "int4",
    "uint1": "uint1",
    "uint2": "uint2",
    "uint4": "uint4",
}
"""Formats and the types that hold the same codes."""


def dtype(format: Format) -> np.dtype:
    """Return the NumPy or ml_dtypes type whose bytes are the codes of `format`.

    Raises
    ------
    InputError : if there is none, or if ml_dtypes has it and is not installed or too old.
    """
    name = next((name for name in (*NUMPY, *ML_DTYPES) if replace(format, name=name) == scalars.scalar(name)), None)
    if name in NUMPY:
        return np.dtype(NUMPY[name])
    if name is None:
        raise InputError(f"no array type has the codes of {format.name}; known: {', '.join((*NUMPY, *ML_DTYPES))}")
    try:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, ML_DTYPES[name]))
    except (ImportError, AttributeError):
        raise InputError(f"{format.name} as an array type needs ml_dtypes with {ML_DTYPES[name]}") from None


def to_array(format: Format, codes: NDArray[np.unsignedinteger]) -> NDArray:
    """Return a view of codes as numbers of the type `dtype`; raises as it does, or if the codes have another width."""
    if codes.dtype != format.dtype:
        raise InputError(f"codes of {format.name} are {format.dtype}, not {codes.dtype}")
    return codes.view(dtype(format))


def from_array(array: NDArray) -> tuple[Format, NDArray[np.unsignedinteger]]:
    """Return the format of a NumPy or ml_dtypes array, and its codes as a view.

    Raises
    ------
    InputError : if no format has the codes of its type.
    """
    types = NUMPY | ML_DTYPES
    for name, type_name in types.items():
        if array.dtype.name == type_name:
            format = scalars.scalar(name)
            return format, array.view(format.dtype)
    raise InputError(f"no format has the codes of {array.dtype}; known types: {', '.join(types.values())}")
