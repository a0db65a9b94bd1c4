"""MixPE (arXiv 2411.16158): shift-and-add integer products, dequantized after the group.

Scale and zero point are applied once per group, after the integer sum, and the sum of activations that corrects for
zero points is shared by all columns of a row (section 4 of the paper). Ours are the second cycle that gives 8-bit
weights on the same 4-bit cells, the width of the accumulator and the float32 sum over groups. With activations in fp16
(W4A16) the paper multiplies significands, then aligns and adds; here a row aligns its activations once and its cells
add integers, which is the same sum without rounding.

A cell multiplies by u - 10 for each nibble u, where two digits of -2..1 need no carry between them (see
`dyad.rtl.pe.mixpe`). Signed weights are stored from 0 on, as q + 2^(bits - 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .integer import FromZero
from .mode import Mode

DIGITS = -10
"""What two digits, each a pair of bits less 2, add up to for a nibble of zeros: -2 - 2 * 4."""


@dataclass(frozen=True)
class MixPE(FromZero):
    """Description and exact arithmetic of a MixPE cell: 4 bits of each weight in a cycle."""

    name: ClassVar[str] = "mixpe"
    plane_bits: ClassVar[int] = 4
    weight_modes: ClassVar[dict[str, int]] = {"int4": 1, "uint4": 1, "int8": 2, "uint8": 2}
    activations: ClassVar[tuple[str, ...]] = ("int8", "fp16")

    def offset(self, mode: Mode) -> int:
        """Return what a cell adds to each weight."""
        return super().offset(mode) + sum(DIGITS << self.plane_bits * plane for plane in range(mode.interval))
