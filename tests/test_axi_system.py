"""Systems on a bus, as circuits under Verilator, against the masters of cocotbext-axi."""

from __future__ import annotations

import pytest

from dyad.hw.simulate import run
from dyad.models import accelerator
from dyad.models.system import System
from dyad.rtl.system import AxiSystem

from .cases import small
from .link_circuit import BusTally
from .network import digits_programs, same_as_golden

BENCH = "dyad.tests.axi_bench"
TINY = accelerator.load("tiny")
WIDE = small(m=8, n=8, k=4, drain=1, beat=16)


@pytest.mark.parametrize(("machine", "pauses"), [(TINY, 0.0), (TINY, 0.3), (WIDE, 0.2)])
def test_transfers_and_commands(machine: accelerator.Accelerator, pauses: float) -> None:
    system = System(machine, memory_bytes=4096, instructions=16)
    inputs = {"system": system, "count": 150, "pauses": pauses}
    found = run(BusTally(system), "bus", BENCH, inputs, testcase="transfers", seed=3)
    assert min(found["kinds"].values()) >= 5 and set(found["kinds"]) == {"DONE", "MALFORMED", "RANGE"}


@pytest.mark.slow
@pytest.mark.parametrize("pauses", [0.0, 0.3])
def test_a_digit_is_classified_over_the_bus(pauses: float) -> None:
    system = System(TINY, memory_bytes=16384, instructions=256)
    inputs, network = digits_programs(system, 2)
    found = run(AxiSystem(system), "axi_tiny", BENCH, inputs | {"pauses": pauses}, testcase="program")
    assert found["fingerprint"] == system.fingerprint
    same_as_golden(network, inputs, found["runs"])
