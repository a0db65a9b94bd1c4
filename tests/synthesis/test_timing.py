"""Paths are those that one works out by hand."""

from __future__ import annotations

import pytest

from dyad.hw.synthesis.timing import longest_path
from dyad.tests import cells


def netlist(gates, outputs):
    """A module as Yosys writes it: gates are (cell, pins), nets are names."""
    names = {net: index + 2 for index, net in enumerate(dict.fromkeys(n for _, p in gates for n in p.values()))}
    return {
        "ports": {net: {"direction": "output", "bits": [names[net]]} for net in outputs},
        "cells": {
            f"g{index}": {"type": cell, "connections": {pin: [names[net]] for pin, net in pins.items()}}
            for index, (cell, pins) in enumerate(gates)
        },
        "netnames": {net: {"hide_name": int(net.startswith("_")), "bits": [bit]} for net, bit in names.items()},
    }


CHAIN = [
    ("DFF", {"CK": "clk", "D": "in", "Q": "a"}),
    ("INV", {"A": "a", "Y": "_b"}),
    ("NAND2", {"A": "a", "B": "_b", "Y": "c"}),
    ("DFF", {"CK": "clk", "D": "c", "Q": "out"}),
]
LOAD = 0.02
RISING, FALLING = (cells.CAPACITANCE[edge] for edge in ("rise", "fall"))


def by_hand(edge):
    """The path a -> _b -> c -> D that ends with this edge, one line for each gate: arrival and slew."""
    start, middle = ("rise", "fall") if edge == "rise" else ("fall", "rise")
    load = {"rise": RISING, "fall": FALLING}
    intrinsic = {"rise": 0, "fall": 1}
    arrival = cells.delay(cells.FLIP_FLOP_DELAY[intrinsic[start]], 0, 2 * load[start])
    slew = cells.transition(0, 2 * load[start])
    arrival += cells.delay(cells.GATES["INV"][-1][intrinsic[middle]], slew, load[middle])
    slew = cells.transition(slew, load[middle])
    # The slower of the slews that `a` and `_b` cause goes on.
    direct = cells.transition(cells.transition(0, 2 * load[middle]), load[edge])
    arrival += cells.delay(cells.GATES["NAND2"][-1][intrinsic[edge]], slew, load[edge])
    slew = max(direct, cells.transition(slew, load[edge]))
    return arrival, cells.setup(edge, 0, slew)


def test_path_is_the_one_worked_out_by_hand(tiny):
    path = longest_path(netlist(CHAIN, ["out"]), tiny, LOAD)
    arrival, setup = max((by_hand(edge) for edge in ("rise", "fall")), key=sum)
    assert path.ns == pytest.approx(arrival + setup, abs=1e-12)
    assert path.setup_ns == pytest.approx(setup, abs=1e-12)
    assert (path.start, path.end) == ("a", "out")
    assert [(step.cell, step.net) for step in path.steps] == [("DFF", "a"), ("INV", None), ("NAND2", "c")]
    assert path.steps[-1].arrival_ns == pytest.approx(arrival, abs=1e-12)


def test_path_to_an_output_has_its_load_and_no_setup(tiny):
    path = longest_path(netlist(CHAIN[:2], ["_b"]), tiny, 10.0)
    assert path.setup_ns == 0
    assert path.end == "_b"
    slew = cells.transition(0, RISING)
    rise = cells.delay(0.15, 0, RISING), cells.delay(0.01, slew, 10.0)
    slew = cells.transition(0, FALLING)
    fall = cells.delay(0.14, 0, FALLING), cells.delay(0.02, slew, 10.0)
    assert path.ns == pytest.approx(max(sum(rise), sum(fall)), abs=1e-12)


def test_gate_that_is_not_unate_passes_both_edges(tiny):
    gates = [CHAIN[0], ("XOR2", {"A": "a", "B": "a", "Y": "c"}), CHAIN[3]]
    path = longest_path(netlist(gates, ["out"]), tiny, LOAD)
    start = max(
        cells.delay(intrinsic, 0, 2 * load) + 0.2 * cells.transition(0, 2 * load)
        for intrinsic, load in zip(cells.FLIP_FLOP_DELAY, (RISING, FALLING), strict=True)
    )
    slew = cells.transition(cells.transition(0, 2 * FALLING), RISING)
    assert path.ns == pytest.approx(start + 0.06 + 3 * RISING + cells.setup("rise", 0, slew), abs=1e-12)


def test_circuit_without_registers_has_no_path(tiny):
    assert longest_path(netlist([("INV", {"A": "a", "Y": "b"})], ["b"]), tiny, LOAD) is None
