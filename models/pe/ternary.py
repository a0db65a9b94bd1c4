"""Ternary weights (BitNet b1.58, arXiv 2402.17764): add, subtract or skip.

A weight is -1, 0 or 1, stored in 2 bits (the codes of int2, as in the I2_S layout of bitnet.cpp, arXiv 2502.11880).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .integer import IntegerPE


@dataclass(frozen=True)
class Ternary(IntegerPE):
    """Description and exact arithmetic of a cell that adds, subtracts or skips activations.

    The code of -2 is free; the circuit doubles and subtracts, so that the cell takes all of int2.
    """

    name: ClassVar[str] = "ternary"
    plane_bits: ClassVar[int] = 2
    weight_modes: ClassVar[dict[str, int]] = {"int2": 1}
