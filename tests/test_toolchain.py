"""The tools: simulations are built once and carry data, and what goes wrong is said in one place."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dyad.hw import doctor, files, simulate, toolchain, verilate
from dyad.hw.verilate import SimulationError
from dyad.hw.verilog import netlist, verilog
from dyad.models.errors import InputError
from dyad.tests.adder import Adder

BENCH = "dyad.tests.adder_bench"
PAIRS = [(1, 2), (255, 255), (0, 128)]


def run(testcase="add", **options):
    return simulate.run(Adder(8), "adder", BENCH, {"pairs": PAIRS}, testcase=testcase, **options)


def test_data_goes_in_and_out():
    outputs = run(seed=7)
    assert outputs == {"totals": [3, 510, 128], "width": 9, "random": random.Random(7).random()}


def test_second_run_takes_the_first_build(monkeypatch):
    run()
    monkeypatch.setattr(verilate, "_compile", lambda *_: pytest.fail("built again"))
    run()


def test_other_design_is_another_build():
    assert simulate.run(Adder(4), "adder", BENCH, {"pairs": []}, testcase="add")["width"] == 5


def test_failing_bench_tells_its_reason():
    with pytest.raises(SimulationError, match=r"adder_bench\.refuse on adder failed: the adder was given") as failure:
        run("refuse")
    log = re.search(r"log: (.+)\)", str(failure.value))[1]
    assert "AssertionError" in Path(log).read_text()


def test_simulator_that_ends_early_is_a_failure():
    with pytest.raises(SimulationError, match=r"ended early: see .*simulation\.log"):
        run("end")


def test_bench_without_the_test_is_a_failure():
    with pytest.raises(SimulationError, match="no test named 'subtract' ran"):
        run("subtract")


def test_design_that_does_not_build_is_a_failure():
    with pytest.raises(SimulationError, match=r"cannot build adder: see .*build\.log\n(.*\n)*%Error.*adder\.v"):
        simulate.run("module adder(; endmodule", "adder", BENCH, {"pairs": PAIRS})


def test_what_all_simulations_share_is_compiled_once(tmp_path, monkeypatch):
    monkeypatch.setattr(toolchain, "BUILD", tmp_path)
    for width in (4, 5):
        folder = verilate.build(verilog(Adder(width), "adder"), "adder")
        assert "verilated.cpp" not in (folder / "build.log").read_text()
    (library,) = (tmp_path / "rtl").glob("verilated-*")
    assert [each.name for each in library.glob("*.o")] == ["verilated.o"]
    assert len([*(tmp_path / "rtl").iterdir()]) == 3


def test_waves_show_the_inside(tmp_path):
    run(waves=tmp_path / "adder.vcd")
    assert re.search(r"\$scope module adder .*\$var wire 9 \S+ total", (tmp_path / "adder.vcd").read_text(), re.DOTALL)


def test_waves_without_a_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot write .*/nowhere/adder\.vcd: .*/nowhere is not a folder"):
        run(waves=tmp_path / "nowhere" / "adder.vcd")


def test_environment_is_restored():
    before = dict(os.environ)
    run()
    assert dict(os.environ) == before


@pytest.mark.parametrize("program", toolchain.REQUIRED)
def test_missing_program_is_named(program, monkeypatch):
    which = toolchain.shutil.which
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None if name == program else which(name))
    with pytest.raises(
        InputError, match=re.escape(f"{program} is not on PATH; get it with apt-get install {program},")
    ):
        toolchain.simulator_variables()


def test_missing_libpython_is_named(monkeypatch):
    monkeypatch.setattr(toolchain.find_libpython, "find_libpython", lambda: None)
    with pytest.raises(InputError, match="has no shared libpython"):
        toolchain.simulator_variables()


def test_folder_with_a_space_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(toolchain, "BUILD", tmp_path / "my designs")
    with pytest.raises(InputError, match="my designs' holds a space"):
        toolchain.simulator_variables()


def test_verilog_is_the_same_in_every_process():
    program = (
        "from dyad.hw.verilog import verilog; from dyad.tests.adder import Adder; print(verilog(Adder(8), 'adder'))"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd="/")
    text = verilog(Adder(8), "adder")
    assert other.stdout.rstrip("\n") == text.rstrip("\n")
    assert re.search(r"module adder\(.*\btotal\b", text)
    assert "adder.py" not in text + netlist(Adder(8), "adder")


def test_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    files.write(path, "old")
    monkeypatch.setattr(files.Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(InputError, match=r"cannot write .*report\.json: No space left on device"):
        files.write(path, "new")
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]
    assert path.read_text() == "old"


def test_doctor_shows_where_a_program_without_a_version_is(tmp_path, monkeypatch):
    silent = tmp_path / "ccache"
    silent.write_text("#!/bin/sh\n")
    silent.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert {check.name: check.version for check in doctor.checks()}["ccache"] == str(silent)


def test_doctor_sees_what_is_there_and_what_is_not(monkeypatch):
    which = doctor.shutil.which
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None if name == "perl" else which(name))
    found = {check.name: check for check in doctor.checks()}
    assert found["perl"].version is None
    assert "apt-get install perl" in found["perl"].advice
    assert found["make"].version[0].isdigit()
    assert found["verilator"].version.startswith("5.")
    assert not found["ccache"].required
