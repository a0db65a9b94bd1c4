"""Rounding: whether a magnitude that lies between two neighbouring codes goes to the greater one.

Every encoding first cuts a magnitude down to the code below it and to the fraction of the step that it lost; these
rules decide on that fraction alone, so the same table serves integers, floats and every other encoding.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, unknown

Rule = Callable[[NDArray, NDArray, NDArray], NDArray]
"""``rule(fraction, odd, negative) -> bool``: fraction in [0, 1), parity of the lower code, sign of the value."""

RULES: dict[str, Rule] = {
    "nearest-even": lambda fraction, odd, negative: (fraction > 0.5) | ((fraction == 0.5) & odd),
    "nearest-away": lambda fraction, odd, negative: fraction >= 0.5,
    "toward-zero": lambda fraction, odd, negative: np.zeros_like(odd),
    "up": lambda fraction, odd, negative: (fraction > 0) & ~negative,
    "down": lambda fraction, odd, negative: (fraction > 0) & negative,
}


def rule(rounding: str, seed: int | np.random.Generator | None = None) -> Rule:
    """Return the rule named `rounding`: one of `RULES` or ``"stochastic"``, which needs a seed.

    Raises
    ------
    InputError : if there is no such rule, or if a stochastic one was asked for without a seed.
    """
    if rounding != "stochastic":
        if rounding not in RULES:
            raise unknown("rounding", rounding, [*RULES, "stochastic"])
        return RULES[rounding]
    if seed is None:
        raise InputError("rounding 'stochastic' needs seed=, an integer or a numpy.random.Generator")
    generator = np.random.default_rng(seed)
    return lambda fraction, odd, negative: fraction > generator.random(fraction.shape)
