"""The cocotb bench of circuits that take a word and show a word each cycle."""

from __future__ import annotations

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from dyad.hw.simulate import exchange


@cocotb.test()
async def stream(dut) -> None:
    """Drive all words, and return what is seen in the cycle in which each is driven, before it is."""
    Clock(dut.clk, 2, "step").start()
    dut.rst.value = 0
    seen = []
    for word in exchange.inputs["words"]:
        await FallingEdge(dut.clk)
        seen.append(int(dut.seen.value))
        dut.stimulus.value = word
    exchange.outputs["seen"] = seen
