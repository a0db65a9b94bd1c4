"""`dyad synth`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..terminal import Json, report, show, working

if TYPE_CHECKING:
    from ...hw.synthesis.measure import Measurement


def synth(
    pe: str,
    /,
    *,
    mode: str | None = None,
    station: Literal["dot", "prepare", "finish", "output", "all"] = "dot",
    liberty: Path | None = None,
    clock: float | None = None,
    lanes: int | None = None,
    group: int | None = None,
    accumulator_bits: int | None = None,
    json: Json = None,
) -> None:
    """Synthesize a processing element: its area, its cells and its longest path.

    The inputs are registered. Yosys and ABC map the circuit to the cells of a library; its timing is then read from
    the library's tables, from a clock edge to the next, without wires.

    Parameters
    ----------
    pe
        Name of the processing element.
    mode
        Build only what this pair of operand formats needs, such as int4xint8; all modes when left out.
    station
        What to build: a cell (dot), what a row shares (prepare), what follows a cell (finish), the output stage or all.
    liberty
        The library, a .lib or .lib.gz file; when left out, that of an open PDK in the folder that PDK_ROOT names.
    clock
        Clock period that synthesis aims at, in ns.
    lanes
        Products that a cell sums in one step.
    group
        Quantization group that the accumulator is made for.
    accumulator_bits
        Width of a cell's accumulator.
    json
        Also write the results to this file: `pe`, `mode`, `station`, `library`, `clock_ns`, `area_um2`,
        `nand2_equivalents`, `critical_path_ns`, `cells` (how many of each) and `path` (`start`, `end`, `setup_ns` and
        `steps`), all for the first station, and `stations`, a list of the same for each.
    """
    from ...hw.synthesis import process
    from ...hw.synthesis.library import Library
    from ...hw.synthesis.measure import STATIONS, measure
    from ...hw.synthesis.measure import station as build
    from ...models.pe import get

    given = {"lanes": lanes, "group": group, "accumulator_bits": accumulator_bits}
    description = get(pe, **{name: value for name, value in given.items() if value is not None})
    designs = {each: build(description, each, mode) for each in (STATIONS if station == "all" else [station])}
    with working("reading the library"):
        library = Library.read(process.find(liberty))
    around = process.surroundings(library, clock)
    found: dict[str, Measurement] = {}
    for name, design in designs.items():
        with working(f"synthesizing {pe} {name}"):
            found[name] = measure(design(), f"{pe}_{name}", library, around)

    columns = ("station", "mode", "area um2", "NAND2", "registers", "cells", "path ns")
    show(columns, (_row(name, mode, each) for name, each in found.items()), title=f"{pe} in {library.name}")
    for name, each in found.items():
        if each.path is not None:
            print(f"\nlongest path of {name}, from {each.path.start} to {each.path.end}")
            rows = [(f"{step.arrival_ns:.3f}", step.cell, step.edge, step.net) for step in each.path.steps]
            show(("ns", "cell", "edge", "net"), [*rows, (f"{each.path.ns:.3f}", "setup", None, None)])
    common = {"pe": pe, "mode": mode, "library": library.name, "clock_ns": around.clock}
    stations = [{**common, "station": name, **each.report()} for name, each in found.items()]
    report(json, {**stations[0], "stations": stations})


def _row(name: str, mode: str | None, found: Measurement) -> tuple[object, ...]:
    count = sum(found.cells.values())
    ns = None if found.path is None else f"{found.path.ns:.2f}"
    return name, mode or "all", f"{found.area_um2:.0f}", f"{found.nand2_equivalents:.0f}", found.registers, count, ns
