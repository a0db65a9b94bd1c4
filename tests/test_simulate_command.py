"""`dyad simulate`: its tables, its reports and its complaints."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

import pytest

from dyad.analysis import cli
from dyad.analysis.summary import LAYER_COLUMNS
from dyad.models import accelerator, networks
from dyad.sim.costs import costs
from dyad.sim.simulate import simulate


@pytest.fixture
def dyad(capsys):
    """Run `dyad simulate` in this process; return its exit code, its output and its complaints."""

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            cli.main(["simulate", *(str(argument) for argument in arguments)])
        return end.value.code or 0, *capsys.readouterr()

    return run


def test_tables(dyad):
    code, output, errors = dyad("digits-cnn")
    result = simulate(networks.load("digits-cnn"), accelerator.load("edge"))
    assert (code, errors) == (0, "")
    title, head, *lines = output.splitlines()
    assert title.startswith("digits-cnn on edge")
    assert head.split() == " ".join(LAYER_COLUMNS).split()
    for line, one in zip(lines, result.layers, strict=False):
        name, count, m, k, n, weights, cycles, *_ = line.split()
        assert (name, int(count), weights) == (one.layer.name, 1, "int4_channel")
        assert (int(m), int(k), int(n)) == (one.layer.m, one.layer.k, one.layer.n)
        assert int(cycles.replace(",", "")) == one.run.cycles
    assert f"{result.cycles:,} cycles at 500 MHz" in output
    assert costs().label(result.accelerator.pe) in output


def test_skipped_operators_and_counts_are_shown(dyad):
    _, output, _ = dyad("bitnet-3b", "--phase", "decode", "--tokens", 64, "--accelerator", "server")
    assert re.search(r"not simulated +1 Embedding, .*26 Softmax", output)
    assert re.search(r"^attention scores +832 +1 +100 +64 +int8_channel ", output, re.MULTILINE)


def test_json(dyad, tmp_path):
    dyad("resnet18", "--batch", 2, "--json", tmp_path / "r.json")
    report = json.loads((tmp_path / "r.json").read_text())
    assert report == simulate(networks.load("resnet18", batch=2), accelerator.load("edge")).report()
    assert {
        *("network", "accelerator", "cycles", "seconds", "energy_pj", "energy_from", "macs", "utilization", "layers")
    } <= set(report)
    assert {"name", "macs", "cycles", "energy_pj", "utilization", "busy"} <= set(report["layers"][0])
    assert report["seconds"] == pytest.approx(report["cycles"] / 500e6)


@pytest.mark.parametrize(
    ("options", "weights"),
    [
        (["--weight", "int8"], "int8_channel"),
        (["--group", 64], "int4_g64"),
        (["--weight", "uint4", "--group", 32], "uint4_g32"),
        (["--weight", "uint4_g64_z"], "uint4_g64_z"),
        (["--weight", "int2_channel"], "int2_channel"),
    ],
)
def test_weights(dyad, options, weights):
    _, output, _ = dyad("digits-mlp", *options)
    assert re.search(rf"^fc1 .* {weights} ", output, re.MULTILINE)


def test_trace_and_html(dyad, tmp_path):
    dyad("digits-mlp", "--weight", "int8", "--trace", tmp_path / "t.json", "--html", tmp_path / "r.html")
    names = {event["name"] for event in json.loads((tmp_path / "t.json").read_text())["traceEvents"]}
    assert {"fc1", "fc2", "fc3", "multiply", "finish", "store", "load.weight"} <= names
    page = (tmp_path / "r.html").read_text()
    assert "digits-mlp on edge" in page
    assert "dyad simulate digits-mlp --accelerator edge --weight int8" in page


COMPLAINTS = [
    (["resnet81"], "unknown network 'resnet81'; did you mean resnet18?"),
    (["resnet18", "--accelerator", "edgy"], "unknown accelerator 'edgy'; did you mean edge?"),
    (["resnet18", "--tokens", 3], "unknown option of network 'resnet18': 'tokens'; known: batch, group, weight"),
    (["llama2-7b", "--phase", "prefil"], 'Invalid value "prefil" for --phase. Choose from: "prefill", "decode".'),
    (["llama2-7b", "--tokens", 0], "tokens is 0, it must be at least 1"),
    (["resnet18", "--group", 0], "--group 0 must be at least 1"),
    (["resnet18", "--group", 96, "--weight", "int4_g64"], "--group 96 contradicts --weight int4_g64"),
    (["resnet18", "--weight", "int8_tensor"], "weights cannot be int8_tensor; they need a group or a channel"),
    (["resnet18", "--weight", "e4m3"], "mixpe multiplies int1..int8 or uint1..uint8 by int8, not e4m3 by int8"),
    (["nowhere.onnx"], "no such file: nowhere.onnx"),
    (["digits-mlp", "--json", "/nowhere/r.json"], "cannot write /nowhere/r.json: No such file or directory"),
    (["digits-mlp", "--trace", "/"], "cannot write /: Is a directory"),
]


@pytest.mark.parametrize(("arguments", "complaint"), COMPLAINTS)
def test_bad_input_is_one_line_and_exit_code_2(dyad, arguments, complaint):
    code, _, errors = dyad(*arguments)
    assert code == 2
    assert errors.startswith(f"dyad: error: {complaint}")
    assert errors.count("\n") == 1


def test_a_whole_network_takes_seconds_and_loads_nothing_heavy():
    program = (
        "import sys; from dyad.analysis.cli import app; app(['simulate', 'resnet18'], result_action='return_value');"
        "print(*sys.modules)"
    )
    started = time.perf_counter()
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert time.perf_counter() - started < 5  # on an idle machine, one
    assert not {"amaranth", "cocotb", "onnx", "sklearn", "matplotlib", "scipy"} & set(shown.split())
