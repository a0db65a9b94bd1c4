"""What commands have in common: tables, JSON reports, a sign of life on long work."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from ..hw import files
from .units import numeric

Json = Annotated[Path | None, Parameter(name="--json")]
"""Type of the parameter that says where a command's JSON report goes."""


def _not_negative(_: Any, value: int) -> None:
    if value < 0:
        raise ValueError("A seed cannot be negative.")


Seed = Annotated[int, Parameter(validator=_not_negative)]
"""Type of the parameter that random choices come from."""


def show(columns: Iterable[str], rows: Iterable[Iterable[object]], title: str | None = None) -> None:
    """Print a table; numbers are aligned on the right, None is left empty. Only a terminal's width folds lines."""
    lines = [tuple(_text(cell) for cell in row) for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        numbers = numeric(line[index] for line in lines)
        table.add_column(column, justify="right" if numbers else "left")
    for line in lines:
        table.add_row(*line)
    if title:
        print(title)
    Console(width=None if sys.stdout.isatty() else 1000, markup=False, highlight=False).print(table)


def _text(cell: object) -> str:
    return "" if cell is None else f"{cell:g}" if isinstance(cell, float) else str(cell)


def report(path: Path | None, content: Mapping[str, Any]) -> None:
    """Write a JSON report if `path` is given.

    Raises
    ------
    InputError : if nothing can be written there.
    """
    if path is not None:
        files.write(path, json.dumps(content, indent=2) + "\n")


@contextmanager
def working(message: str) -> Iterator[Callable[[str], None]]:
    """Show `message` with a spinner on stderr for the time of a `with` block, if that is a terminal.

    The block is given a function that changes the message.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(message) as status:
            yield status.update
    else:
        yield lambda message: None
