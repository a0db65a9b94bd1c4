"""The integer multiply-accumulate cell, with the multiplication operator: the baseline that others are measured by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import InputError
from .integer import IntegerPE


@dataclass(frozen=True)
class IntMac(IntegerPE):
    """Description and exact arithmetic of the baseline: a whole weight in a cycle.

    Parameters
    ----------
    weight_bits : bits of the widest weights: 4 or 8.

    Raises
    ------
    InputError : as in `IntegerPE`.
    """

    weight_bits: int = 8

    name: ClassVar[str] = "int_mac"
    activations: ClassVar[tuple[str, ...]] = ("int8", "int16")

    @classmethod
    def variants(cls) -> tuple[dict[str, Any], ...]:
        """Return the parameters, other than sizes, of the multipliers: 8 x 8, 8 x 4 and 16 x 8 bits."""
        return ({}, {"weight_bits": 4}, {"activation": "int16"})

    def __post_init__(self) -> None:
        if self.weight_bits not in (4, 8):
            raise InputError(f"{self.name}: weight_bits is {self.weight_bits}, it must be 4 or 8")
        super().__post_init__()

    @property
    def plane_bits(self) -> int:
        """Bits of a weight that a cell takes in a cycle: all of them."""
        return self.weight_bits

    @property
    def weight_modes(self) -> dict[str, int]:
        """Signed and unsigned weights, each in a single cycle."""
        return {f"int{self.weight_bits}": 1, f"uint{self.weight_bits}": 1}
