"""Runs a cocotb bench on a component, in Verilator: carries data in and out.

The bench runs in the simulator's process. There it finds `exchange`::

    from dyad.hw.simulate import exchange

    @cocotb.test()
    async def add(dut):
        exchange.outputs["total"] = ...  # from exchange.inputs["a"], exchange.seed
"""

from __future__ import annotations

import atexit
import os
import pickle
import shutil
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from amaranth.lib.wiring import Component
from cocotb_tools.runner import get_runner

from ..models.errors import InputError
from . import toolchain
from .verilate import SimulationError, build, tail
from .verilog import verilog

EXCHANGE = "DYAD_EXCHANGE"


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
    text = design if isinstance(design, str) else verilog(design, name)
    if waves is not None and not waves.parent.is_dir():
        raise InputError(f"cannot write {waves}: {waves.parent} is not a folder")
    kind = None if waves is None else waves.suffix[1:]
    folder = build(text, name, kind, sources)
    with toolchain.variables(toolchain.simulator_variables()):
        return _simulate(folder, name, bench, inputs, testcase, waves, seed)


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
        raise SimulationError(f"{bench} on {name} ended early: {tail(log)}") from None
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
        raise SimulationError(f"no test{f' named {testcase!r}' if testcase else ''} ran from {bench}: {tail(log)}")
    for case in ran:
        failure = next((child for child in case if child.tag in ("failure", "error")), None)
        if failure is not None:
            reason = failure.get("message") or (failure.text or "").strip()
            raise SimulationError(f"{bench}.{case.get('name')} on {name} failed: {reason} (log: {log})")
