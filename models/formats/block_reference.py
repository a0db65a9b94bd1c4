"""The definition of the block formats with floating scales, one block at a time, for readers and for tests.

`BlockFormat.quantize` is the same over arrays, and much faster. Here all values are finite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from .block import BlockFormat
from .format import Format
from .reference import decode, encode
from .scalars import scalar


def exponent(x: Fraction) -> int:
    """Return the greatest integer e with 2^e <= x."""
    guess = x.numerator.bit_length() - x.denominator.bit_length()
    return guess if Fraction(2) ** guess <= x else guess - 1


def rounded(x: Fraction, bits: int) -> Fraction:
    """Return `x` rounded to a significand of so many bits, ties to even."""
    unit = Fraction(2) ** (exponent(x) - bits + 1)
    return round(x / unit) * unit


def significand_bits(element: Format) -> int:
    """Return how many bits the significand of the greatest element has."""
    return element.mantissa_bits + (element.encoding == "float")


SCALE_RULES: dict[str, Callable[[Fraction, Format], int]] = {
    "floor": lambda greatest, element: exponent(greatest) - exponent(Fraction(element.maximum)),
    "even": lambda greatest, element: (
        exponent(rounded(greatest, significand_bits(element))) - exponent(Fraction(element.maximum))
    ),
    "ceil": lambda greatest, element: -exponent(1 / greatest) - exponent(Fraction(element.maximum)),
    "rceil": lambda greatest, element: -exponent(Fraction(element.maximum) / greatest),
}
"""``rule(greatest, element)``: exponent of the scale of a block with this greatest magnitude."""


def shared_exponent(
    format: BlockFormat, block: Sequence[float], rule: str = "floor", rounding: str = "nearest-even"
) -> tuple[int, list[int]]:
    """Return the code of the scale and those of the elements (OCP Microscaling v1.0, section 6.3)."""
    values = [Fraction(x) for x in block]
    greatest = max(abs(x) for x in values)
    least, most = (exponent(Fraction(limit)) for limit in (format.scale.minimum, format.scale.maximum))
    wanted = SCALE_RULES[rule](greatest, format.element) if greatest else least
    shared = min(max(wanted, least), most)
    elements = [encode(format.element, x / Fraction(2) ** shared, rounding) for x in values]
    return encode(format.scale, Fraction(2) ** shared), elements


def two_level(
    format: BlockFormat, blocks: Sequence[Sequence[np.float32]]
) -> tuple[np.float32, list[tuple[int, list[int]]]]:
    """Return the scale of the tensor, and the code of the scale and those of the elements of each block.

    Every operation is one of float32. The order matters: a product by a reciprocal is not a quotient.
    """
    one, huge = np.float32(1), np.finfo(np.float32).max
    limit, most = np.float32(format.element.maximum), np.float32(format.scale.maximum)
    greatest = [max(abs(x) for x in block) for block in blocks]
    with np.errstate(over="ignore", divide="ignore"):
        gain = min(most * limit / max(greatest), huge) if max(greatest) else one
        coded = []
        for block, amount in zip(blocks, greatest, strict=True):
            wanted = min(amount * (gain * (one / limit)), most)
            scale = encode(format.scale, Fraction(float(wanted)))
            reciprocal = min(one / (np.float32(decode(format.scale, scale)) * (one / gain)), huge)
            scaled = [min(max(x * reciprocal, -limit), limit) for x in block]
            coded.append((scale, [encode(format.element, Fraction(float(x))) for x in scaled]))
    return one / gain, coded


def one_bit_exponents(format: BlockFormat, block: Sequence[float]) -> tuple[list[list[int]], list[int]]:
    """Return the codes of each level of scales, coarse to fine, and those of the elements (arXiv 2602.11287).

    All values and the results of the two divisions are bfloat16, everything else is exact.
    """
    coarse, *exponents = format.levels
    values = [_bfloat16(Fraction(x)) for x in block]
    largest = Fraction(format.element.maximum) * 2 ** len(exponents)
    wanted = _bfloat16(max(abs(x) for x in values) * _bfloat16(1 / largest))
    limits = Fraction(coarse.scale.minimum), Fraction(coarse.scale.maximum)
    scale = encode(coarse.scale, min(max(wanted, limits[0]), limits[1]))
    reciprocal = _bfloat16(1 / Fraction(decode(coarse.scale, scale)))

    scaled = [x * reciprocal for x in values]
    levels = [[scale]]
    for index, level in enumerate(exponents):
        assert isinstance(level.extent, int)
        starts = range(0, len(block), level.extent)
        parts = [scaled[start : start + level.extent] for start in starts]
        doubled = [int(max(abs(x) for x in part) >= 2 ** (len(exponents) - index)) for part in parts]
        levels.append(doubled)
        scaled = [x / 2**double for part, double in zip(parts, doubled, strict=True) for x in part]
    # The sign outlives the magnitude: a negative value that comes to nothing is -0.
    sign = 1 << (format.element.bits - 1)
    magnitudes = [encode(format.element, abs(x), "nearest-away") for x in scaled]
    return levels, [code + sign * (x < 0) for code, x in zip(magnitudes, block, strict=True)]


def _bfloat16(x: Fraction) -> Fraction:
    return Fraction(decode(scalar("bf16"), encode(scalar("bf16"), x)))
