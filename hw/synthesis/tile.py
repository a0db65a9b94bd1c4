"""A processing element mapped to the cells of a library: one cell of a tile, its row, its column and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...models.pe import PE
from ..bench import SINGLE, TileBench
from ..verilog import verilog
from . import gates, timing
from .library import Library
from .process import Surroundings
from .yosys import synthesize

PATHS = {
    "dot": "tile.cell_0_0",
    "row": "tile.prepare_row_0",
    "column": "tile.prepare_column_0",
    "finish": "finish_0",
    "output": "output_0",
}
"""Where the stations are in `TileBench`. What else there is are registers that a tile has once for all of its cells."""


@dataclass(frozen=True, eq=False)
class MappedTile:
    """The netlist of a `TileBench` of one cell, its stations being mapped each on its own.

    Parameters
    ----------
    name : of its top module.
    netlist : as Yosys writes it in JSON, flat.
    library, around : what it is made of, and for.
    """

    name: str
    netlist: Mapping[str, Any] = field(repr=False)
    library: Library
    around: Surroundings

    @classmethod
    def of(cls, pe: PE, library: Library, around: Surroundings) -> MappedTile:
        """Synthesize it."""
        name = f"{pe.name}_gates"
        text = verilog(TileBench(pe, SINGLE), name)
        apart = [f"{name}.{path}" for path in PATHS.values()]
        return cls(name, synthesize(text, name, library, around, apart=apart), library, around)

    @property
    def verilog(self) -> str:
        """The netlist as a design with the ports of `TileBench`."""
        return gates.verilog(self.netlist, self.name, self.library)

    @cached_property
    def stations(self) -> dict[str, str]:
        """Which station each cell of the netlist belongs to, ``tile`` if to none."""
        found = {}
        for cell in self.netlist["cells"]:
            path = cell.replace("$flatten", "").replace("\\", "")
            found[cell] = next((name for name, prefix in PATHS.items() if path.startswith(f"{prefix}.")), "tile")
        return found

    @cached_property
    def areas(self) -> dict[str, float]:
        """Area of each station, um2."""
        areas = dict.fromkeys(PATHS, 0.0)
        for cell, station in self.stations.items():
            areas[station] = areas.get(station, 0.0) + self.library[self.netlist["cells"][cell]["type"]].area
        return areas

    @cached_property
    def path(self) -> timing.Path | None:
        """The longest path."""
        return timing.longest_path(self.netlist, self.library, self.around.load)
