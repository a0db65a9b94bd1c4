"""`dyad synth`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...models.errors import InputError
from ..terminal import Json, report, show, working

if TYPE_CHECKING:
    from ...hw.synthesis.measure import Registered

AREA = {"area_um2": "area um2", "nand2_equivalents": "NAND2", "registers": "registers", "critical_path_ns": "path ns"}
RESOURCES = {"lut4": "LUT4", "lut6": "LUT6", "ff": "FF", "dsp": "DSP", "bram": "BRAM", "fmax_mhz": "MHz"}

RIVALS = {
    "pe": "pe",
    "ours": "ours",
    "area_um2": "um2",
    "critical_path_ns": "path ns",
    "rival": "rival",
    "rival_area_um2": "its um2",
    "ratio": "ratio",
    "verdict": "ours is",
}

Designs = dict[str, Callable[[], "Registered"]]


def synth(
    pe: str | None = None,
    /,
    *,
    mode: str | None = None,
    station: Literal["dot", "row", "column", "finish", "output", "all"] = "dot",
    liberty: Path | None = None,
    clock: float | None = None,
    fpga: Literal["ecp5", "ice40", "xc7"] | None = None,
    lanes: int | None = None,
    group: int | None = None,
    accumulator_bits: int | None = None,
    json: Json = None,
) -> None:
    """Synthesize a processing element: its area, its cells and its longest path, or what it takes on an FPGA.

    Without one, all are measured that others' circuits have been measured against, and listed with those.

    The inputs are registered. Yosys and ABC map the circuit to the cells of a library; its timing is then read from
    the library's tables, from a clock edge to the next, without wires.

    Parameters
    ----------
    pe
        Name of the processing element; when left out, compare all with their rivals, in sky130_fd_sc_hd.
    mode
        Build only what this pair of operand formats needs, such as int4xint8; all modes when left out.
    station
        What to build: a cell (dot), what a row or a column shares, what follows a cell (finish), the output stage
        or all.
    liberty
        The library, a .lib or .lib.gz file; when left out, that of an open PDK in the folder that PDK_ROOT names, or
        without one the built-in cells in the class of 45 nm, whose sources are in hw/synthesis/cells45.yaml.
    clock
        Clock period that synthesis aims at, in ns.
    fpga
        Instead of a library: place and route on an FPGA of this family, an ECP5-85 or an iCE40 HX8K, best of three;
        or only count what a Xilinx 7 series (xc7) takes.
    lanes
        Products that a cell sums in one step.
    group
        Quantization group that the accumulator is made for.
    accumulator_bits
        Width of a cell's accumulator.
    json
        Also write the results to this file: `pe`, `mode` (null: all), `station`, `library`, `clock_ns`, `area_um2`,
        `nand2_equivalents`, `registers`, `critical_path_ns`, `cells` (how many of each) and `path` (`start`, `end`,
        `setup_ns`, `steps`); on an FPGA `pe`, `mode`, `station`, `fpga`, `lut4` (or `lut6`), `ff`, `dsp`, `bram`,
        `fmax_mhz`. All that for the first station, and `stations`, a list of the same for each. Without a processing
        element `library`, `clock_ns` and `rivals`, a list of `pe`, `ours`, `area_um2`, `critical_path_ns`, `rival`,
        `source`, `rival_area_um2`, `ratio` (ours to theirs), `verdict` and `why`.
    """
    from ...hw.synthesis.measure import STATIONS
    from ...hw.synthesis.measure import station as build
    from ...models.pe import get

    if fpga is not None and (liberty is not None or clock is not None):
        raise InputError(f"--fpga {fpga} takes neither --liberty nor --clock")
    given = {"lanes": lanes, "group": group, "accumulator_bits": accumulator_bits}
    if pe is None:
        chosen = {"mode": mode, "clock": clock, "fpga": fpga, **given}
        for name, value in chosen.items():
            if value is not None:
                raise InputError(f"--{name.replace('_', '-')} {value} needs a processing element")
        if station != "dot":
            raise InputError(f"--station {station} needs a processing element")
        _compare(liberty, json)
        return
    description = get(pe, **{name: value for name, value in given.items() if value is not None})
    designs = {each: build(description, each, mode) for each in (STATIONS if station == "all" else [station])}
    rows = _fit(pe, designs, fpga) if fpga is not None else _measure(pe, designs, liberty, clock)
    rows = [{"pe": pe, "mode": mode, "station": name, **row} for name, row in zip(designs, rows, strict=True)]
    columns = {"station": "station"} | (AREA if fpga is None else RESOURCES)
    columns = {column: title for column, title in columns.items() if column in ("station", *rows[0])}
    title = f"{pe}, {mode or 'all modes'}, in {fpga or rows[0]['library']}"
    show(columns.values(), ([row[column] for column in columns] for row in rows), title=title)
    for row in rows:
        if row.get("path"):
            print(f"\nlongest path of {row['station']}, from {row['path']['start']} to {row['path']['end']}")
            steps = [tuple(step.values()) for step in row["path"]["steps"]]
            show(("cell", "net", "edge", "ns"), [*steps, ("setup", None, None, row["critical_path_ns"])])
    report(json, {**rows[0], "stations": rows})


def _compare(liberty: Path | None, json: Path | None) -> None:
    from ...hw.synthesis import process, rivals

    with working("reading the library"):
        library = process.library(liberty)
    rivals.check(library)
    around = process.surroundings(library, None)
    rows = []
    for rival in rivals.RIVALS:
        with working(f"synthesizing {rival.pe}, {rival.ours}"):
            rows.append(rivals.compare(rival, library, around))
    show(RIVALS.values(), ([row[column] for column in RIVALS] for row in rows), title=f"in {library.name}")
    print()
    show(("pe", "rival", "why"), ([row["pe"], row["rival"], f"{row['verdict']}: {row['why']}"] for row in rows))
    report(json, {"library": library.name, "clock_ns": around.clock, "rivals": rows})


def _measure(pe: str, designs: Designs, liberty: Path | None, clock: float | None) -> list[dict[str, Any]]:
    from ...hw.synthesis import process
    from ...hw.synthesis.measure import measure

    with working("reading the library"):
        library = process.library(liberty)
    around = process.surroundings(library, clock)
    rows = []
    for name, design in designs.items():
        with working(f"synthesizing {pe} {name}"):
            found = measure(design(), f"{pe}_{name}", library, around)
        rows.append({"library": library.name, "clock_ns": around.clock, **found.report()})
    return rows


def _fit(pe: str, designs: Designs, family: str) -> list[dict[str, Any]]:
    from ...hw.synthesis.fpga import fit

    rows = []
    for name, design in designs.items():
        with working(f"placing and routing {pe} {name}"):
            rows.append({"fpga": family, **fit(design(), f"{pe}_{name}", family).report()})
    return rows
