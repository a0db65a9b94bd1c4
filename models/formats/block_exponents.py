"""The recipe of shared exponents: scales are powers of two, as in MX, block floating point and dynamic fixed point."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .block_recipe import Choices, Fitted, magnitude
from .format import Format

if TYPE_CHECKING:
    from .block import BlockFormat

RAISED_FROM: dict[str, Callable[[Format], float]] = {
    "floor": lambda element: 2.0,
    "even": lambda element: 2.0 - 2.0 ** -_significand_bits(element),
    "ceil": lambda element: np.nextafter(1.0, 2.0),
    "rceil": lambda element: np.nextafter(2 * np.frexp(element.maximum)[0], 2.0),
}
"""Significand of the greatest magnitude, in [1, 2), from which a rule raises the shared exponent by one.

An exponent that is not raised brings the leading bit of the block to that of the greatest element. ``"floor"`` leaves
it at that (OCP Microscaling v1.0, section 6.3); ``"even"`` raises it where the magnitude, rounded to the precision of
an element, reaches the next power of two; ``"ceil"`` for all but powers of two; ``"rceil"`` where an element would
overflow.
"""


def _significand_bits(element: Format) -> int:
    return element.mantissa_bits + (element.encoding == "float")


@cache
def _constants(element: Format, scale: Format, rule: str) -> tuple[float, int, int, int]:
    """Return where `rule` raises, and the exponents of the greatest element, the least and the greatest scale."""
    if scale.mantissa_bits or scale.nan is None:
        raise InputError(
            f"shared exponents need scales of exponent bits only, with a NaN; {scale.name} is not like that"
        )
    top, least, most = (int(np.frexp(value)[1]) - 1 for value in (element.maximum, scale.minimum, scale.maximum))
    return RAISED_FROM[rule](element), top, least, most


def fit_shared_exponent(format: BlockFormat, blocks: NDArray, gain: np.float32, choices: Choices) -> Fitted:
    """OCP Microscaling v1.0, section 6.3: scales are powers of two, of which that of a block of zeros is the least."""
    raised_from, top, least, most = _constants(format.element, format.scale, choices.rule)
    scaled = np.empty_like(blocks)
    greatest = magnitude(blocks, work=scaled)
    missing = np.isnan(greatest)
    greatest[missing] = 0
    significand, exponent = np.frexp(greatest.astype(np.float64))
    exponent += 2 * significand >= raised_from
    exponent -= top + 1
    exponent[greatest == 0] = least
    np.clip(exponent, least, most, out=exponent)
    # The reciprocal of a power of two is exact, and so is the product but in the blocks that are not finite.
    with np.errstate(over="ignore"):
        np.multiply(blocks, np.ldexp(blocks.dtype.type(1), -exponent)[:, None], out=scaled)
    scaled[missing] = 0
    codes = (exponent - least).astype(format.scale.dtype)
    codes[missing] = format.scale.nan
    return Fitted(choices.encode(scaled), (codes[:, None],))
