"""Block floating point: integers of sign and magnitude with a shared exponent (arXiv 2310.05079)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .blocks import BlockPE


@dataclass(frozen=True)
class Bfp(BlockPE):
    """Description and exact arithmetic of a cell for block floating point, ``bfp(m,block)``."""

    format: str = "bfp(7,16)"

    name: ClassVar[str] = "bfp"
    recipes: ClassVar[tuple[str, ...]] = ("shared-exponent",)

    @classmethod
    def variants(cls) -> tuple[dict[str, Any], ...]:
        """Return the parameters of circuits for elements of one, two and four to a word of 8 or 16 bits."""
        return ({"format": "bfp(7,16)"}, {"format": "bfp(3,32)"}, {"format": "bfp(10,16)"})
