"""How often the nets of a mapped netlist change while it computes, counted by Verilator."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from .. import simulate
from ..bench import SINGLE
from ..synthesis.tile import MappedTile
from ..verify import described

BENCH = "dyad.tests.pe.stream"

_CHANGES = re.compile(r"\(n(\d+)\s.*?\(TC (\d+)\)", re.DOTALL)


class Activity(NamedTuple):
    """What a run of a netlist gave.

    Attributes
    ----------
    changes : of each net. cycles : how long that took.
    """

    changes: dict[int, int]
    cycles: int


class WrongResultError(RuntimeError):
    """A netlist did not compute what its golden arithmetic does."""


def run(
    tile: MappedTile, name: str, parameters: dict[str, Any], mode: int = 0, operands: dict[str, Any] | None = None
) -> Activity:
    """Run operands through a netlist and count the changes of its nets.

    Parameters
    ----------
    tile : the netlist, of the processing element with this name and these parameters.
    mode : index of a mode.
    operands : as `streams.operands` gives them; None is nothing at all, while the clock runs.

    Raises
    ------
    WrongResultError : if a result differs from the golden arithmetic.
    """
    inputs = described(name, parameters, SINGLE) | {"mode": mode, "operands": operands}
    # Variants of a processing element have one name, and are measured at the same time.
    with TemporaryDirectory() as folder:
        counted = Path(folder) / "changes.saif"
        outputs = simulate.run(tile.verilog, tile.name, BENCH, inputs, waves=counted)
        if outputs["failures"]:
            raise WrongResultError(f"gates of {name} are wrong: {outputs['examples'][0]}")
        return Activity(read(counted), outputs["cycles"])


def read(path: Path) -> dict[int, int]:
    """Return the changes of each net of a SAIF file, by the number in its name."""
    return {int(net): int(count) for net, count in _CHANGES.findall(path.read_text())}
