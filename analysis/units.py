"""Numbers as people read them: three digits, the prefix that suits, and columns that line up."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}

NUMBER = re.compile(r"-?\d[\d,]*(\.\d+)?(e[+-]?\d+)?%?( [\w/]+)?")


def prefix(value: float) -> tuple[float, str]:
    """Return the power of 1000, and its sign, that leaves one to three digits of `value` before the point."""
    rounded = float(f"{abs(value):.3g}")
    exponent = 3 * math.floor(math.log10(rounded) / 3) if rounded else 0
    exponent = min(max(exponent, min(PREFIXES)), max(PREFIXES))
    return 10.0**exponent, PREFIXES[exponent]


def scaled(value: float, unit: str = "") -> str:
    """Return `value` in words: ``scaled(0.00562, "s")`` is ``5.62 ms``."""
    factor, sign = prefix(value)
    return f"{value / factor:#.3g}".rstrip(".") + f" {sign}{unit}".rstrip()


def numeric(column: Iterable[str]) -> bool:
    """Return whether every cell of a table's column is a number, perhaps with a unit, or empty."""
    return all(NUMBER.fullmatch(cell) for cell in column if cell)
