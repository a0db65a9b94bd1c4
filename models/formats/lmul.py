"""L-Mul (arXiv 2410.00907): the product of two floats by one integer addition on their exponent and mantissa fields.

(1 + x) 2^a times (1 + y) 2^b becomes (1 + x + y + 2^-l) 2^(a+b), where 2^-l stands for the product x y; l depends on
the width of the mantissa. Hardware adds the fields, each pair taken as one integer: a sum of mantissas of 1 or more is
carried into the exponent, where it counts twice what it does in the paper's formula over the reals. What is computed
here is what hardware computes. Nothing is rounded.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .format import Format


def offset(format: Format) -> int:
    """Return what is subtracted from the sum of two fields: the bias that it has once too often, less 2^-l.

    Raises
    ------
    InputError : if `format` is not a float of at most 16 bits with subnormals.
    """
    if format.encoding != "float" or not format.subnormals or format.bits > 16:
        raise InputError(f"L-Mul multiplies floats of at most 16 bits, not {format.name}")
    mantissa = format.mantissa_bits
    shift = mantissa if mantissa <= 3 else 3 if mantissa == 4 else 4
    return (format.bias << mantissa) - (1 << (mantissa - shift))


def lmul(format: Format, a: NDArray[np.unsignedinteger], b: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
    """Return the codes of L-Mul products.

    Operands that are zero or subnormal give 0, and so does a sum below 0; one that does not fit the fields gives the
    largest finite value. Any other sum is the result as it stands, be it the code of a subnormal, infinity or NaN:
    hardware has no more than the carry and the borrow to go by.

    Parameters
    ----------
    format : float format of at most 16 bits, of operands and results.
    a, b : codes, shapes that broadcast.

    Raises
    ------
    InputError : if the format or a code is not one.
    """
    bias = offset(format)
    left, right = (format.checked_codes(codes).astype(np.int64) for codes in (a, b))
    sign = (left ^ right) & format.sign
    left, right = left & ~format.sign, right & ~format.sign
    fields = left + right - bias
    smallest = 1 << format.mantissa_bits
    product = np.where(fields < 1 << (format.bits - format.signed), fields, format.largest) | sign
    return np.where((left < smallest) | (right < smallest) | (fields < 0), 0, product).astype(format.dtype)


def lmul_reference(format: Format, a: int, b: int) -> int:
    """Return the code of one product, field by field; the same function as `lmul`."""
    mantissa, width = format.mantissa_bits, format.bits - format.signed
    exponent_a, x = divmod(a % 2**width, 2**mantissa)
    exponent_b, y = divmod(b % 2**width, 2**mantissa)
    if exponent_a == 0 or exponent_b == 0:
        return 0
    carry, sum_of_mantissas = divmod(x + y + 2 ** (mantissa - {4: 3}.get(mantissa, min(mantissa, 4))), 2**mantissa)
    exponent = exponent_a + exponent_b - format.bias + carry
    if exponent < 0:
        return 0
    negative = a // 2**width != b // 2**width
    fields = exponent * 2**mantissa + sum_of_mantissas if exponent < 2**format.exponent_bits else format.largest
    return fields + negative * 2**width
