"""How often the nets of a mapped netlist change while it computes, counted by Verilator."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from ...models import pe as processing_elements
from .. import simulate, toolchain
from ..bench import SINGLE
from ..synthesis.tile import MappedTile
from ..verify import described
from .streams import operands

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


def run(tile: MappedTile, name: str, parameters: dict[str, Any], mode: int, stream: str | None) -> Activity:
    """Run operands through a netlist and count the changes of its nets.

    Parameters
    ----------
    tile : the netlist, of the processing element with this name and these parameters.
    mode : index of a mode.
    stream : which operands, see `streams.operands`; None is nothing at all, while the clock runs.

    Raises
    ------
    WrongResultError : if a result differs from the golden arithmetic.
    """
    pe = processing_elements.get(name, **parameters)
    inputs = described(name, parameters, SINGLE) | {
        "mode": mode,
        "operands": None if stream is None else operands(pe, pe.modes[mode], stream),
    }
    folder = toolchain.BUILD / "power"
    folder.mkdir(parents=True, exist_ok=True)
    counted = folder / f"{tile.name}_{mode}_{stream or 'idle'}.saif"
    outputs = simulate.run(tile.verilog, tile.name, BENCH, inputs, waves=counted)
    if outputs["failures"]:
        raise WrongResultError(f"gates of {name} are wrong: {outputs['examples'][0]}")
    return Activity(read(counted), outputs["cycles"])


def read(path: Path) -> dict[int, int]:
    """Return the changes of each net of a SAIF file, by the number in its name."""
    return {int(net): int(count) for net, count in _CHANGES.findall(path.read_text())}
