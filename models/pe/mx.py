"""Blocks with a shared scale: the MX formats (OCP Microscaling v1.0), NVFP4 and its kin, and HiF4 (arXiv 2602.11287).

Both operands are in one block format. That one cell takes several formats, as in arXiv 2510.25602, where MXFP8 and
NVFP4 share one and MXINT8 and NVINT4 another, is a matter of its circuit (`dyad.rtl.pe.blocks`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .blocks import BlockPE


@dataclass(frozen=True)
class Mx(BlockPE):
    """Description and exact arithmetic of a cell for blocks that share a scale."""

    format: str = "mxfp8_e4m3"

    name: ClassVar[str] = "mx"
    recipes: ClassVar[tuple[str, ...]] = ("shared-exponent", "two-level", "one-bit-exponents")

    @classmethod
    def variants(cls) -> tuple[dict[str, Any], ...]:
        """Return the parameters of circuits for all formats."""
        return tuple({"format": format} for format in FORMATS)


FORMATS = (
    "mxfp8_e4m3+nvfp4+mxfp4",
    "mxint8+nvint4",
    "mxfp8_e5m2",
    "mxfp6_e2m3+mxfp6_e3m2",
    "hif4",
)
"""Circuits for all formats, those together that share a cell well: what `dyad verify` runs."""
