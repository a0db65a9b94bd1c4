"""Area and longest path of a processing element's stations, in the cells of a library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Component, In

from ...models.errors import unknown
from ...models.pe import PE, Mode
from ...rtl.output import output
from ...rtl.pe import stations
from ..verilog import verilog
from .library import Library
from .process import Surroundings
from .timing import Path, longest_path
from .yosys import synthesize

STATIONS = ("dot", "row", "column", "finish", "output")
"""What can be measured: a cell, what a row and a column share, what follows a cell's result, and the output stage."""


class Registered(wiring.Component):
    """A component behind registers at all its inputs, so that paths start at a clock edge.

    Parameters
    ----------
    inner : the component; its ports are also those of this one.
    modes : the modes in which the circuit has to work, by their index; what never changes in them becomes a constant.
    """

    def __init__(self, inner: Component, modes: Mapping[int, Mode] | None = None) -> None:
        self._inner, self._modes = inner, modes or {}
        super().__init__(inner.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = self._inner
        for name, member in self.signature.members.items():
            outside, inside = getattr(self, name), getattr(inner, name)
            if member.flow is not In:
                m.d.comb += outside.eq(inside)
                continue
            held = Signal(member.shape, name=f"{name}_held", reset_less=True)
            m.d.sync += held.eq(outside)
            m.d.comb += inside.eq(held)
            if name == "step" and self._modes:
                m.d.comb += [inside[field].eq(value) for field, value in _needed(self._modes, held).items()]
            if name == "mode" and len(self._modes) == 1:
                m.d.comb += inside.eq(next(iter(self._modes)))
        return m


def _needed(modes: Mapping[int, Mode], step: Any) -> dict[str, Value | int]:
    """Return the fields of a step of which some modes need less than there is."""
    interval = max(mode.interval for mode in modes.values())
    mode = step.mode if len(modes) > 1 else next(iter(modes))
    return {"plane": step.plane[: (interval - 1).bit_length()], "mode": mode}


@dataclass(frozen=True)
class Measurement:
    """What synthesis made of a circuit.

    Attributes
    ----------
    area_um2 : sum of the areas of its cells.
    nand2_equivalents : the same in areas of the library's smallest two-input NAND.
    registers : how many flip-flops it has.
    path : its longest path, None without registers.
    cells : how many of each cell.
    """

    area_um2: float
    nand2_equivalents: float
    registers: int
    path: Path | None
    cells: dict[str, int]

    def report(self) -> dict[str, Any]:
        """Return the measurement as `dyad synth --json` writes it."""
        path: dict[str, Any] | None = None
        if self.path is not None:
            steps = [step._asdict() | {"arrival_ns": round(step.arrival_ns, 4)} for step in self.path.steps]
            path = {"start": self.path.start, "end": self.path.end, "setup_ns": round(self.path.setup_ns, 4)}
            path["steps"] = steps
        return {
            "area_um2": round(self.area_um2, 2),
            "nand2_equivalents": round(self.nand2_equivalents, 1),
            "registers": self.registers,
            "critical_path_ns": self.path and round(self.path.ns, 4),
            "cells": self.cells,
            "path": path,
        }


def measure(
    component: Component, name: str, library: Library, around: Surroundings, booth: bool = False
) -> Measurement:
    """Synthesize a component and measure it.

    Parameters
    ----------
    component : the design, measured as it is; see `Registered`.
    name : name of its top module.
    library, around : the cells, and what the circuit is made for.
    booth : whether Yosys recodes multiplications.
    """
    netlist = synthesize(verilog(component, name), name, library, around, booth)
    cells = Counter(cell["type"] for cell in netlist["cells"].values())
    area = sum(library[cell].area * count for cell, count in cells.items())
    registers = sum(count for cell, count in cells.items() if library[cell].is_register)
    path = longest_path(netlist, library, around.load)
    return Measurement(area, area / library.nand2_area, registers, path, dict(sorted(cells.items())))


def station(pe: PE, name: str, mode: str | None = None) -> Callable[[], Registered]:
    """Return the constructor of a station of a processing element behind registers.

    Parameters
    ----------
    pe : its description.
    name : one of `STATIONS`.
    mode : name of the one mode that it has to work in; None for all.

    Raises
    ------
    InputError : if there is no such station or mode.
    """
    modes = {index: each for index, each in enumerate(pe.modes) if mode in (None, each.name)}
    if not modes:
        raise unknown(f"mode of {pe.name}", mode or "", [each.name for each in pe.modes])
    built = stations(pe)
    constructors: dict[str, Callable[[], Component]] = {
        "dot": built.Dot,
        "row": built.PrepareRow,
        "column": built.PrepareColumn,
        "finish": built.Finish,
        "output": partial(output, pe),
    }
    if name not in constructors:
        raise unknown("station", name, constructors)
    return lambda: Registered(constructors[name](), modes)
