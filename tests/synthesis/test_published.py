"""What others measured comes out, in a real process, which does not come with dyad, and on an FPGA."""

from __future__ import annotations

import os

import pytest

from dyad.hw.synthesis import fpga, process, rivals
from dyad.hw.synthesis.baselines import (
    MultiplyAccumulate,
)
from dyad.hw.synthesis.measure import measure
from dyad.tests.synthesis.published import ECP5, SKY130_UM2
from dyad.tests.synthesis.surroundings import around, needs_nextpnr


@pytest.mark.slow
@pytest.mark.skipif("PDK_ROOT" not in os.environ, reason="PDK_ROOT does not say where sky130 is")
@pytest.mark.parametrize("arguments", SKY130_UM2)
def test_baselines_come_to_what_others_measured(arguments):
    library = process.library(None)
    if not library.name.startswith("sky130_fd_sc_hd"):
        pytest.skip(f"PDK_ROOT holds {library.name}")
    found = measure(MultiplyAccumulate(*arguments), "multiply_accumulate", library, around(library))
    assert found.area_um2 == pytest.approx(SKY130_UM2[arguments], rel=0.035)


@pytest.mark.slow
@needs_nextpnr
@pytest.mark.parametrize("arguments", ECP5)
def test_baselines_take_what_others_found_on_an_fpga(arguments):
    found = fpga.fit(MultiplyAccumulate(*arguments), "multiply_accumulate", "ecp5", dsp=False)
    lut4, ff, mhz = ECP5[arguments]
    assert found.taken["ff"] == ff
    assert found.taken["lut4"] == pytest.approx(lut4, rel=0.05)
    assert found.fmax_mhz == pytest.approx(mhz, rel=0.05)


@pytest.mark.slow
@pytest.mark.skipif("PDK_ROOT" not in os.environ, reason="PDK_ROOT does not say where sky130 is")
@pytest.mark.parametrize("rival", rivals.RIVALS, ids=lambda rival: f"{rival.pe}, {rival.name}")
def test_rivals_are_compared(rival):
    library = process.library(None)
    if not library.name.startswith(rivals.LIBRARY):
        pytest.skip(f"PDK_ROOT holds {library.name}")
    row = rivals.compare(rival, library, around(library))
    assert 0.2 < row["ratio"] < 1.5
