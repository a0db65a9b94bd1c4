"""The command line: what it prints, its reports, exit codes and one-line complaints."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

import pytest

from dyad.analysis import cli
from dyad.hw import doctor as doctor_floor
from dyad.models import pe
from dyad.models.accelerator import FOLDER


@pytest.fixture
def dyad(capsys):
    """Run a command in this process; return its exit code, its output and its complaints."""

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            cli.main([str(argument) for argument in arguments])
        return end.value.code or 0, *capsys.readouterr()

    return run


ROW = {
    "pe": "mixpe",
    "parameters": {"weight_bits": 4},
    "mode": "int4xint8",
    "vectors": 4096,
    "failures": 0,
    "exhaustive": True,
    "examples": [],
    "uncovered": [],
    "waves": None,
}


@pytest.fixture
def verified(monkeypatch):
    """Stand in for the simulation; return the list that its results will come from and what it was asked."""
    from dyad.hw import verify

    asked, failures = [], []

    def run(pe_name, seed, waves, lanes, library, ecp5):
        asked.append((pe_name, seed, waves))
        return [ROW | {"pe": pe_name, "failures": len(failures), "examples": failures}]

    monkeypatch.setattr(verify, "verify", run)
    return asked, failures


COMPLAINTS = [
    (["verify", "--seed", "x\ny"], 'Invalid value for --seed: unable to convert "x y" into int.'),
    (["veriffy"], 'Unknown command "veriffy". Did you mean "verify"?'),
    (["verify", "mixpee"], "unknown processing element 'mixpee'; did you mean mixpe, xr_npe, mx?"),
    (["verify", "--seed", "x"], 'Invalid value for --seed: unable to convert "x" into int.'),
    (
        ["verify", "mixpe", "mixpe", "--waves", "x.vcd"],
        "--waves x.vcd takes one processing element, not 2: mixpe, mixpe",
    ),
    (["crosscheck", "--gemm", "1,1,1", "--seed", "-1"], 'Invalid value "-1" for --seed. A seed cannot be negative.'),
    (["demo", "--html", "/nowhere/x.html"], "cannot write /nowhere/x.html: No such file or directory"),
    (["formats", "e4m3b1001"], "e4m3b1001 has a bias of 1001; beyond 1000 its values would leave float64"),
    (["verilog"], "verilog takes either the name of a processing element or --accelerator"),
    (["verilog", "--accelerator", "tinny"], "unknown accelerator 'tinny'; did you mean tiny?"),
    (["verilog", "--accelerator", "tiny", "--lanes", "4"], "an accelerator's file says its lanes; leave --lanes out"),
    (["verilog", "mixpe", "--lane", "4"], "Unknown option: --lane."),
    (["verilog", "mixpe", "--lanes", "0"], "mixpe: lanes is 0, it must be at least 1"),
    (["formats", "int77"], "int77 has 77 bits; integer formats have 1 to 16"),
    (["formats", "--json", "/nowhere/formats.json"], "cannot write /nowhere/formats.json: No such file or directory"),
]


@pytest.mark.parametrize(("arguments", "complaint"), COMPLAINTS)
def test_bad_input_is_one_line_and_exit_code_2(dyad, arguments, complaint):
    code, _, errors = dyad(*arguments)
    assert code == 2
    assert errors.startswith(f"dyad: error: {complaint}")
    assert errors.count("\n") == 1


def test_defects_keep_their_traceback(monkeypatch):
    monkeypatch.setattr(pe, "names", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["verify"])


def test_interruption_is_quiet(dyad, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(pe, "names", interrupted)
    assert dyad("verify") == (130, "", "")


def test_help_names_the_commands_and_is_quick():
    program = "from dyad.analysis.cli import main; main(['--help'])"
    started = time.perf_counter()
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert time.perf_counter() - started < 2
    for command in ("doctor", "formats", "verify", "verilog"):
        assert re.search(rf"\b{command}\b", shown.stdout)


def test_commands_import_nothing_heavy_before_they_run():
    program = "import sys, dyad.analysis.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "amaranth", "cocotb", "onnx", "sklearn", "simpy", "pydantic"} & set(loaded)


def test_version(dyad):
    assert dyad("--version") == (0, "0.1.0\n", "")


def test_verify_reports(dyad, verified, tmp_path):
    code, output, _ = dyad("verify", "--seed", 5, "--json", tmp_path / "v.json")
    assert code == 0
    assert "seed 5" in output
    assert re.search(r"mixpe\s+weight_bits=4\s+int4xint8\s+4096\s+0\s+True", output)
    assert f"\n{4096 * len(pe.names()):,} vectors, 0 failures\n" in output
    results = json.loads((tmp_path / "v.json").read_text())
    assert results == {"seed": 5, "results": [ROW | {"pe": name} for name in pe.names()]}
    assert verified[0] == [(name, 5, None) for name in pe.names()]


def test_verify_with_failures_shows_them_and_exits_1(dyad, verified):
    verified[1].append("int4xint8: sum 3, expected 4")
    code, output, _ = dyad("verify", "mixpe")
    assert code == 1
    assert output.endswith("int4xint8: sum 3, expected 4\n")


def test_verilog(dyad, tmp_path):
    assert dyad("verilog", "mixpe", "--lanes", 2, "-o", tmp_path / "pe.v")[0] == 0
    text = (tmp_path / "pe.v").read_text()
    assert {"mixpe_row", "mixpe_column", "mixpe_dot", "mixpe_finish"} <= set(
        re.findall(r"^module (\w+)\(", text, re.MULTILINE)
    )
    assert re.search(r"input \[15:0\] activations;", text)


def test_verilog_of_an_engine(dyad, tmp_path):
    (tmp_path / "my-own.yaml").write_text((FOLDER / "tiny.yaml").read_text().replace("name: tiny", "name: my-own"))
    assert dyad("verilog", "--accelerator", tmp_path / "my-own.yaml", "-o", tmp_path / "engine.v")[0] == 0
    (ports,) = re.findall(r"^module engine_my_own\((.*?)\);", (tmp_path / "engine.v").read_text(), re.M)
    assert {"instructions__payload", "memory__request__valid", "idle"} <= set(ports.split(", "))


def test_formats(dyad, tmp_path):
    code, output, _ = dyad("formats", "int4", "--json", tmp_path / "f.json")
    assert code == 0
    assert output.splitlines()[1].split() == ["int4", "4", "-8", "7"]
    row = {"name": "int4", "bits": 4, "minimum": -8, "maximum": 7}
    assert json.loads((tmp_path / "f.json").read_text()) == {"formats": [row]}
    assert len(dyad("formats")[1].splitlines()) > 30


@pytest.mark.parametrize(("required", "code"), [(True, 1), (False, 0)])
def test_doctor(dyad, monkeypatch, tmp_path, required, code):
    missing = doctor_floor.Check("yosys", required, None, 'pip install "dyad[synthesis]"')
    monkeypatch.setattr(doctor_floor, "checks", lambda: [doctor_floor.Check("make", True, "4.3", ""), missing])
    ended, output, _ = dyad("doctor", "--json", tmp_path / "d.json")
    assert ended == code
    state = "missing" if required else "optional"
    assert output.splitlines()[-1].split(maxsplit=2) == ["yosys", state, 'pip install "dyad[synthesis]"']
    assert json.loads((tmp_path / "d.json").read_text())["ready"] is (code == 0)
