"""A mode of a processing element: a pair of operand formats, and how many cycles and words they take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..formats import Format, parse


@dataclass(frozen=True)
class Mode:
    """One pair of operand formats that a processing element multiplies.

    Parameters
    ----------
    weight, activation : names of the formats of the operands: scalar formats, or block formats whose scales the cell or
        what follows it takes into account.
    interval : cycles that a step of k lanes takes.
    packing : products that a lane forms in a step, of so many operands next to one another in its words.
    phases : cycles for which a plane of the weights stays at the cells.
    steps : steps whose weights are in one word; with more than one there is a single plane, for a cycle a step.
    row_header, column_header : words that come before the operands of a segment at each row and at each column, such as
        the scale of a block: a row's as wide as its operands in a step, a column's as wide as a plane of its weights.
    scale : scalar format of the scales that the finish station takes; empty if it takes none.
    """

    weight: str
    activation: str
    interval: int
    packing: int = 1
    phases: int = 1
    steps: int = 1
    row_header: int = 0
    column_header: int = 0
    scale: str = "fp16"

    @property
    def name(self) -> str:
        return f"{self.weight}x{self.activation}"

    @property
    def header(self) -> int:
        """Cycles before a segment's first step."""
        return max(self.row_header, self.column_header)

    @property
    def planes(self) -> int:
        """Words of weights that a step reads; where a word lasts for several `steps`, those do together."""
        return self.interval // self.phases

    def takes(self, weight: str, activation: str) -> bool:
        """Return whether it multiplies operands of these formats: its own, or weights that are narrower integers."""
        if activation != self.activation or weight == self.weight:
            return activation == self.activation
        narrow, own = _integer(weight), _integer(self.weight)
        return bool(narrow and own and narrow.signed == own.signed and narrow.bits <= own.bits)


def operands(modes: Iterable[Mode]) -> str:
    """Return what the modes multiply, in words: ``int1..int8 or uint1..uint8 by int8``."""
    weights: dict[str, dict[str, str]] = {}
    for mode in sorted(modes, key=lambda mode: own.bits if (own := _integer(mode.weight)) else 0):
        kinds, own = weights.setdefault(mode.activation, {}), _integer(mode.weight)
        if own is None:
            kinds[mode.weight] = mode.weight
        else:
            kind = own.name.rstrip("0123456789")
            kinds[kind] = kind if kind == own.name else f"{kind}1..{own.name}"
    return ", ".join(f"{' or '.join(kinds.values())} by {activation}" for activation, kinds in weights.items())


def _integer(name: str) -> Format | None:
    """Return a format of integers whose codes are the numbers themselves, None for others."""
    format = parse(name)
    plain = isinstance(format, Format) and (format.encoding, format.bias) == ("integer", 0)
    return format if plain and isinstance(format, Format) else None
