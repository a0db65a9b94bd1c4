"""Plots of number formats."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..models import formats
from ..models.errors import InputError
from ..models.formats import BlockFormat
from .format_report import significant_bits


def precision(names: Iterable[str]) -> Figure:
    """Return a plot of the significant bits of formats over magnitude; of block formats, those of their elements."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot()
    for name in names:
        format = formats.parse(name)
        exponent, bits = significant_bits(format.element if isinstance(format, BlockFormat) else format)
        axes.stairs(bits, [*exponent, exponent[-1] + 1], baseline=None, linewidth=2, label=name)
    axes.set_xlabel("magnitude")
    axes.set_ylabel("significant bits")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda exponent, _: f"$2^{{{exponent:.0f}}}$"))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a file whose suffix is the kind of picture.

    Raises
    ------
    InputError : if there is no such kind, or nothing can be written there.
    """
    kinds = figure.canvas.get_supported_filetypes()
    if path.suffix[1:] not in kinds:
        raise InputError(f"cannot write a plot as {path.name}; kinds are {', '.join(sorted(kinds))}")
    try:
        figure.savefig(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
