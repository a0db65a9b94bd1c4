"""The integer multiply-accumulate cell, with the multiplication operator: the baseline that others are measured by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .integer import IntegerPE


@dataclass(frozen=True)
class IntMac(IntegerPE):
    """Description and exact arithmetic of the baseline: a whole weight of 8 bits in a cycle."""

    name: ClassVar[str] = "int_mac"
    plane_bits: ClassVar[int] = 8
    weight_modes: ClassVar[dict[str, int]] = {"int8": 1, "uint8": 1}
