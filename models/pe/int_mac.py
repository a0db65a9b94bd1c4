"""The integer multiply-accumulate cell, with the multiplication operator: the baseline that others are measured by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .description import Mode
from .integer import IntegerPE


@dataclass(frozen=True)
class IntMac(IntegerPE):
    """Description and exact arithmetic of the baseline: a whole weight of 8 bits in a cycle."""

    name: ClassVar[str] = "int_mac"
    plane_bits: ClassVar[int] = 8
    modes: ClassVar[tuple[Mode, ...]] = (Mode("int8", "int8", 1), Mode("uint8", "int8", 1))
