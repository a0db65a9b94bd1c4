"""Cost tables, as `dyad characterize` writes them, and what is known of memories from the literature."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from ..models.errors import InputError
from ..models.pe import PE, Mode

COSTS = Path(__file__).resolve().parents[1] / "hw" / "costs"
DEFAULT = "dyad45"
STREAM = "normal"
"""Which of the measured operands energies are those of: not as sparse as those after a ReLU."""
SIZED = ("dot", "row", "column")
"""Stations that grow with the lanes of a cell."""


@dataclass(frozen=True)
class PECost:
    """What a processing element costs, from the row of a table.

    Energies of a row's or a column's station are those of one, shared by all cells there. Stations that grow with the
    lanes of a cell are taken to do so in proportion, if it has others than the one that was measured.

    Parameters
    ----------
    row : of the table.
    lanes : of a cell.
    """

    row: Mapping[str, Any]
    lanes: int

    @property
    def note(self) -> str:
        """What is not as it was measured; empty if nothing is."""
        measured = self.row["lanes"]
        return "" if self.lanes == measured else f"cells scaled from {measured} to {self.lanes} lanes"

    def _sized(self, station: str, value: float) -> float:
        return value * self.lanes / self.row["lanes"] if station in SIZED else value

    def active(self, station: str, mode: Mode) -> float:
        """Return the pJ beyond idling of a cycle of a segment (dot, row, column) or of a result (finish, output)."""
        return self._sized(station, self.row["modes"][mode.name][STREAM][station])

    def idle(self, station: str, seconds: float) -> float:
        """Return the pJ of a cycle of so many seconds in which a station does nothing: clock and leakage."""
        leaked = self.row["leakage_uw"][station] * 1e6 * seconds
        return self._sized(station, self.row["idle_pj"][station] + leaked)


@dataclass(frozen=True)
class Costs:
    """A cost table.

    Parameters
    ----------
    name : its file, without the ending.
    technology : what it was measured in.
    rows : a row for each variant of a processing element, see `dyad.hw.characterize.measure`.
    memory : what the figures of memories hold for.
    sram : (capacity in bytes, pJ for a byte) at rising capacities.
    dram : pJ for a byte of external memory.
    """

    name: str
    technology: str
    rows: tuple[Mapping[str, Any], ...]
    memory: str
    sram: tuple[tuple[int, float], ...]
    dram: float

    def label(self, pe: PE) -> str:
        """Return where the figures come from, in a line."""
        note = self.of(pe).note
        logic = f"logic measured in {self.technology} (hw/costs/{self.name}.yaml{f'; {note}' if note else ''})"
        return f"{logic}, memories published, {self.memory} (hw/costs/memory.yaml)"

    def of(self, pe: PE) -> PECost:
        """Return what a processing element costs: its own variant, else another that has its modes.

        Raises
        ------
        InputError : if none has.
        """
        alike = [row for row in self.rows if row["pe"] == pe.name]
        needed = {mode.name for mode in pe.modes}

        def strange(row: Mapping[str, Any]) -> tuple[int, int]:
            given = row["parameters"].items()
            return sum(getattr(pe, name) != value for name, value in given), -len(given)

        ranked = sorted((row for row in alike if needed <= row["modes"].keys()), key=strange)
        if not ranked:
            raise InputError(
                f"hw/costs/{self.name}.yaml has no figures for {pe.name} with modes {', '.join(sorted(needed))}; "
                f"measure it with dyad characterize {pe.name}"
            )
        return PECost(ranked[0], pe.lanes)

    def sram_byte(self, capacity: int) -> float:
        """Return the pJ that a byte costs in a memory of `capacity` bytes."""
        points = [(math.log(size), math.log(pj)) for size, pj in self.sram]
        x = math.log(capacity)
        index = sum(size <= x for size, _ in points[1:-1])
        (x0, y0), (x1, y1) = points[index : index + 2]
        return math.exp(y0 + (x - x0) * (y1 - y0) / (x1 - x0))


@lru_cache
def costs(name: str = DEFAULT) -> Costs:
    """Return the cost table `hw/costs/<name>.yaml`, with the figures of memories."""
    table, memory = (
        yaml.load((COSTS / f"{each}.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader) for each in (name, "memory")
    )
    return Costs(
        name=name,
        technology=table["technology"],
        rows=tuple(table["rows"]),
        memory=memory["technology"],
        sram=tuple(sorted(memory["sram"]["pj_per_byte"].items())),
        dram=memory["dram"]["pj_per_byte"],
    )
