"""The cocotb bench of the small adder; its tests also fail on purpose, to show what the runner makes of it."""

from __future__ import annotations

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from dyad.hw.simulate import exchange


@cocotb.test()
async def add(dut) -> None:
    """Add every pair of inputs."""
    dut.rst.value = 0
    Clock(dut.clk, 2, unit="ns").start()
    totals = []
    for a, b in exchange.inputs["pairs"]:
        dut.a.value, dut.b.value = a, b
        await FallingEdge(dut.clk)
        totals.append(int(dut.total.value))
    exchange.outputs["totals"] = totals
    exchange.outputs["width"] = len(dut.total)
    exchange.outputs["random"] = random.Random(exchange.seed).random()


@cocotb.test()
async def refuse(dut) -> None:
    """Fail."""
    assert exchange.inputs["pairs"] == [], "the adder was given something to add"


@cocotb.test()
async def end(dut) -> None:
    """End the simulator's process in the middle of a test."""
    import os

    os._exit(3)
