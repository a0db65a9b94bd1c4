"""The cocotb bench with which energy is measured: given segments back to back, with nothing else in between."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.clock import Clock

from dyad.hw.simulate import exchange
from dyad.models import pe as processing_elements
from dyad.models.formats import scalar

from .bench import Checker, Driver, Monitor
from .model import Cases, Model

IDLE = 512
"""Cycles in which nothing happens, if there are no segments."""


@cocotb.test()
async def stream(dut) -> None:
    """Run the segments of one mode, or none, and compare their results with the golden arithmetic."""
    name, parameters = exchange.inputs["pe"]
    pe = processing_elements.get(name, **parameters)
    driver, monitor = Driver(dut, pe, np.random.default_rng(exchange.seed), quiet=True), Monitor(dut)
    Clock(dut.clk, 2, "step").start()
    dut.rst.value = 0
    dut.stimulus.value = 0
    await monitor.reset()
    operands = exchange.inputs["operands"]
    if operands is None:
        await monitor.record([0] * IDLE)
        exchange.outputs.update(cycles=IDLE, failures=0)
        return
    mode = pe.modes[exchange.inputs["mode"]]
    segments = len(operands["a"])
    flags, columns = np.zeros(segments, np.int64), np.zeros((segments, 1), np.int64)
    cases = Cases(
        **operands,
        scaled=flags + 1,
        base=np.full((segments, 1, 1), int(scalar("fp32").encode(1.0)), np.uint32),
        relu=flags,
        multiplier=columns + 40000,
        shift=columns + 16,
        format=flags,
    )
    words, drained = driver.words([(mode, cases)])
    checker = Checker(dut._log, pe, mode)
    seen = driver.results(drained[0], *await monitor.record(words))
    checker.check(cases, seen, Model(pe, mode).results(cases))
    exchange.outputs.update(cycles=len(words), failures=checker.failures, examples=checker.examples)
