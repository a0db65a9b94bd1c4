"""What processing elements share whose totals are always float32."""

from __future__ import annotations

from .description import Mode


class FloatTotals:
    """Answers to questions about int32 totals, of a processing element that has none."""

    def floating(self, mode: Mode, grouped: bool) -> bool:
        """Return whether totals are float32: always."""
        return True

    def check_int32(self, weight: str, k: int, zero_point: bool, bias: int) -> None:
        """Do nothing: totals are never int32."""
