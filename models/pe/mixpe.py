"""MixPE (arXiv 2411.16158): shift-and-add integer products, dequantized after the group.

Scale and zero point are applied once per group, after the integer sum, and the sum of activations that corrects for
zero points is shared by all columns of a row (section 4 of the paper). Ours are the second cycle that gives 8-bit
weights on the same 4-bit cells, the width of the accumulator and the float32 sum over groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .description import Mode
from .integer import IntegerPE


@dataclass(frozen=True)
class MixPE(IntegerPE):
    """Description and exact arithmetic of a MixPE cell: 4 bits of each weight in a cycle."""

    name: ClassVar[str] = "mixpe"
    plane_bits: ClassVar[int] = 4
    modes: ClassVar[tuple[Mode, ...]] = (
        Mode("int4", "int8", 1),
        Mode("uint4", "int8", 1),
        Mode("int8", "int8", 2),
        Mode("uint8", "int8", 2),
    )
