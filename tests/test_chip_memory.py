# amaranth: UnusedElaboratable=no
"""The memory on the chip: the bytes of any burst, and the cycles of `models.accelerator.Memory`."""

from __future__ import annotations

import pytest

from dyad.hw.simulate import run
from dyad.models.accelerator import Memory
from dyad.rtl.memory import ChipMemory

BENCH = "dyad.tests.memory_bench"


@pytest.mark.parametrize("stalls", [0.0, 0.4])
@pytest.mark.parametrize("timing", [Memory(4, 1, 0), Memory(8, 3, 2)])
def test_bursts(timing: Memory, stalls: float) -> None:
    inputs = {"timing": timing, "size": 256, "count": 600, "stalls": stalls}
    found = run(ChipMemory(timing, 256), f"memory_{timing.bytes_per_cycle}", BENCH, inputs, seed=1)
    assert found["came"] > 600 and found["waited"] > 600


def test_a_memory_cannot_answer_at_once() -> None:
    with pytest.raises(ValueError, match="latency = 0: a memory on the chip takes at least a cycle"):
        ChipMemory(Memory(4, 0, 1), 256)
