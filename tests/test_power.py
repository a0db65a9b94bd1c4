"""Energy of netlists: worked out by hand on two gates, counted by Verilator, and on operands that are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from dyad.hw.power import activity, streams
from dyad.hw.power.energy import Meter
from dyad.hw.synthesis.library import Library
from dyad.hw.synthesis.process import Surroundings
from dyad.hw.synthesis.tile import MappedTile
from dyad.models import pe as processing_elements
from dyad.models.formats import scalar

from . import cells

CLOCK, DATA, HELD, OUT = 2, 3, 4, 5
NETLIST = {
    "ports": {
        "clk": {"direction": "input", "bits": [CLOCK]},
        "data": {"direction": "input", "bits": [DATA]},
        "out": {"direction": "output", "bits": [OUT]},
    },
    "cells": {
        "$flatten\\tile.\\cell_0_0.$auto$1": {"type": "DFF", "connections": {"CK": [CLOCK], "D": [DATA], "Q": [HELD]}},
        "$flatten\\finish_0.$abc$2": {"type": "NAND2", "connections": {"A": [HELD], "B": ["1"], "Y": [OUT]}},
    },
    "netnames": {
        name: {"hide_name": 0, "bits": [bit]}
        for name, bit in {"clk": CLOCK, "data": DATA, "held": HELD, "out": OUT}.items()
    },
}
LOAD = 0.02
PIN = sum(cells.CAPACITANCE.values()) / 2
CHARGE = PIN * cells.VOLTAGE**2 / 2


@pytest.fixture
def tile() -> MappedTile:
    library = Library.parse(cells.library(), "tiny")
    return MappedTile("two", NETLIST, library, Surroundings("BUF", LOAD, 1.0))


def test_stations_are_told_apart(tile):
    assert [*tile.stations.values()] == ["dot", "finish"]
    assert tile.areas["dot"] == cells.FLIP_FLOP_AREA
    assert tile.areas["finish"] == cells.GATES["NAND2"][0]
    assert tile.areas["row"] == 0


def test_energy_is_the_one_worked_out_by_hand(tile):
    changes = {CLOCK: 200, DATA: 30, HELD: 20, OUT: 20}
    spent = Meter(tile).spent(changes)
    # The flip-flop pays for its clock and its data pin, for each edge of the clock, and for changes of its output: at
    # the slew that nets have in the middle, its clock having none of its own. The gate pays for its pin there.
    edges = ("rise", "fall")
    held = [cells.transition(0, cells.CAPACITANCE[edge]) for edge in edges]
    out = [cells.transition(slew, LOAD) for slew in reversed(held)]
    middle = [np.median(each) for each in zip(held, out, strict=True)]
    energies = cells.OUTPUT_ENERGY.values()
    flip_flop = np.mean([cells.energy(start, slew, PIN) for start, slew in zip(energies, middle, strict=True)])
    clock = CHARGE + np.mean([*cells.CLOCK_ENERGY.values()])
    assert spent["dot"] == pytest.approx(200 * clock + 30 * CHARGE + 20 * flip_flop)
    gate = np.mean([cells.energy(start, slew, LOAD) for start, slew in zip(energies, held, strict=True)])
    assert spent["finish"] == pytest.approx(20 * (CHARGE + gate))
    assert spent["row"] == spent["output"] == 0


def test_energy_counts_changes(tile):
    meter = Meter(tile)
    one, two = (meter.spent(dict.fromkeys((CLOCK, DATA, HELD, OUT), count)) for count in (1, 2))
    assert all(two[station] == pytest.approx(2 * one[station]) for station in one)
    assert meter.spent({}) == dict.fromkeys(one, 0.0)


def test_leakage_is_that_of_the_cells(tile):
    leakage = Meter(tile).leakage
    assert leakage["dot"] == pytest.approx(2 * cells.LEAKAGE / 1000)
    assert leakage["finish"] == pytest.approx(cells.LEAKAGE / 1000)


def test_changes_are_read_from_saif(tmp_path):
    (tmp_path / "run.saif").write_text(
        "(SAIFILE (DURATION 20) (INSTANCE top (NET\n(n12 (T0 5) (T1 15) (TX 0) (TC 7))\n"
        "(clk (T0 10) (T1 10) (TX 0) (TC 20)) (n3 (T0 20) (T1 0) (TZ 0) (TX 0) (TB 0) (TC 0)))))"
    )
    assert activity.read(tmp_path / "run.saif") == {12: 7, 3: 0}


@pytest.mark.parametrize("stream", streams.STREAMS)
@pytest.mark.parametrize("name", processing_elements.names())
def test_operands_are_those_of_the_mode(name, stream):
    for parameters in processing_elements.variants(name):
        pe = processing_elements.get(name, **parameters)
        for mode in pe.modes:
            given = streams.operands(pe, mode, stream)
            segments, length = len(given["length"]), int(given["length"][0])
            step = pe.lanes * mode.packing
            assert given["a"].shape == (segments, 1, length + mode.row_header * step)
            assert given["q"].shape == (segments, length + mode.column_header * step, 1)
            assert length <= pe.longest(mode)
            assert streams.PRODUCTS // 2 < segments * length <= streams.PRODUCTS
            again = streams.operands(pe, mode, stream)
            assert all(np.array_equal(given[field], again[field]) for field in given)


def test_operands_are_spread_as_they_say():
    pe = processing_elements.get("int_mac")
    normal, digits = (streams.operands(pe, pe.modes[0], stream) for stream in streams.STREAMS)
    assert np.abs(normal["a"]).max() == 127
    assert 0.2 < normal["a"].std() / 127 < 0.4  # 4096 numbers reach to three or four deviations
    assert abs(normal["a"].mean()) < 3
    assert digits["a"].min() >= 0 and 0.3 < (digits["a"] == 0).mean() < 0.7
    posits = processing_elements.get("xr_npe")
    codes = streams.operands(posits, posits.modes[0], "normal")["a"]
    assert scalar("posit(8,0)").decode(codes).std() == pytest.approx(1.0, abs=0.05)
