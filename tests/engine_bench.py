"""The bench of the engine: feeds it instructions, is its memory, and notes when each unit starts and ends.

A cycle ends with a rising edge of the clock. At the edge the bench sees what the cycle's signals were, and what it
writes is there in the next cycle.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from dyad.hw.simulate import exchange
from dyad.models.accelerator import Memory
from dyad.models.program.isa import UNITS
from dyad.rtl.layouts import REQUEST

PATIENCE = 100_000
"""Cycles without a start or an end of an instruction after which the engine is taken to be stuck."""


class Driver:
    """Offers the instructions, one after another, without a pause."""

    def __init__(self, dut: Any, instructions: list[int]) -> None:
        self._payload, self._valid = dut.instructions__payload, dut.instructions__valid
        self._left = deque(instructions)
        self._offer()

    def _offer(self) -> None:
        self._valid.value = int(bool(self._left))
        if self._left:
            self._payload.value = self._left[0]

    def step(self, ready: int) -> None:
        if ready and self._left:
            self._left.popleft()
            self._offer()

    @property
    def done(self) -> bool:
        return not self._left


class MemoryModel:
    """The memory, with the timing of `models.accelerator.Memory`, and stalls on top where a test asks for them."""

    def __init__(self, dut: Any, timing: Memory, contents: np.ndarray, stalls: float, seed: int) -> None:
        self._dut, self._timing, self._stalls = dut, timing, stalls
        self._random = random.Random(seed)
        beat = timing.bytes_per_cycle
        self.contents = np.concatenate([contents, np.zeros(beat, np.uint8)])  # the last beat may reach beyond the end
        self._ready_at = 0
        self._reads: deque[tuple[int, int]] = deque()  # (cycle from which it may come, address) of each beat
        self._writes: deque[tuple[int, int]] = deque()
        self._reading = self._writing = self._accepting = False
        self._offered: int | None = None

    def step(self, cycle: int, request_valid: int, write_valid: int) -> None:
        """See cycle `cycle`, prepare the next."""
        dut = self._dut
        if self._accepting and request_valid:
            self._accept(cycle)
        if self._writing:
            _, address = self._writes[0]
            assert write_valid or self._stalls, f"cycle {cycle}: the engine has no beat for its write to {address:#x}"
            if write_valid:
                self._writes.popleft()
                self._write(address)
        if self._offered is not None:
            assert request_valid, f"cycle {cycle}: a request was withdrawn"
            assert int(dut.memory__request__payload.value) == self._offered, f"cycle {cycle}: a request changed"
        waiting = request_valid and not self._accepting and self._stalls
        self._offered = int(dut.memory__request__payload.value) if waiting else None

        accepting = cycle + 1 >= self._ready_at and self._goes()
        if accepting != self._accepting:
            dut.memory__request__ready.value = int(accepting)
            self._accepting = accepting
        writing = bool(self._writes) and cycle + 1 >= self._writes[0][0] and self._goes()
        if writing != self._writing:
            dut.memory__write__ready.value = int(writing)
            self._writing = writing
        reading = bool(self._reads) and cycle + 1 >= self._reads[0][0] and self._goes()
        if reading:
            _, address = self._reads.popleft()
            beat = self.contents[address : address + self._timing.bytes_per_cycle]
            dut.memory__read__data.value = int.from_bytes(beat.tobytes(), "little")
        if reading != self._reading:
            dut.memory__read__valid.value = int(reading)
            self._reading = reading

    def close(self) -> None:
        """Check that the engine left nothing undone, and be ready for nothing."""
        assert not self._reads and not self._writes, "the engine is idle before the memory is"
        self._dut.memory__request__ready.value = 0
        self._dut.memory__write__ready.value = 0
        self._dut.memory__read__valid.value = 0

    def _goes(self) -> bool:
        return not self._stalls or self._random.random() >= self._stalls

    def _accept(self, cycle: int) -> None:
        request = REQUEST.from_bits(int(self._dut.memory__request__payload.value))
        address, beats = request.address, request.beats
        overhead, latency, size = self._timing.burst_overhead, self._timing.latency, self._timing.bytes_per_cycle
        self._ready_at = cycle + self._timing.occupied(beats)
        first = cycle + overhead + 1
        assert beats and address + (beats - 1) * size < len(self.contents), f"burst of {beats} beats at {address:#x}"
        if request.write:
            self._writes += ((first + i, address + i * size) for i in range(beats))
        else:
            self._reads += ((first + latency + i, address + i * size) for i in range(beats))

    def _write(self, address: int) -> None:
        size = self._timing.bytes_per_cycle
        payload = int(self._dut.memory__write__payload.value)
        data = np.frombuffer((payload & ((1 << 8 * size) - 1)).to_bytes(size, "little"), np.uint8)
        kept = [index for index in range(size) if payload >> 8 * size + index & 1]
        self.contents[[address + index for index in kept]] = data[kept]


class Monitor:
    """Notes the first and the last cycle of every instruction."""

    def __init__(self) -> None:
        self.spans: list[tuple[int, int, int]] = []
        self._starts = [0] * len(UNITS)
        self.last = 0

    def step(self, cycle: int, start: int, done: int) -> None:
        for unit in range(len(UNITS)):
            if start >> unit & 1:
                self._starts[unit] = cycle
            if done >> unit & 1:
                self.spans.append((unit, self._starts[unit], cycle))
        self.last = cycle


async def execute(dut: Any, job: dict[str, Any], seed: int) -> tuple[np.ndarray, int, list]:
    """Run one program on the idle engine; return the memory afterwards, the cycles and the spans."""
    driver = Driver(dut, job["instructions"])
    memory = MemoryModel(dut, job["timing"], job["memory"], job["stalls"], seed)
    monitor = Monitor()
    cycle = 0
    edge, status = RisingEdge(dut.clk), dut.status
    while True:
        await edge
        bits = int(status.value)
        if bits & 0b1000 and driver.done:
            break
        memory.step(cycle, bits >> 1 & 1, bits >> 2 & 1)
        driver.step(bits & 1)
        if bits >> 4:
            monitor.step(cycle, bits >> 4 & 15, bits >> 8 & 15)
        assert cycle - monitor.last < PATIENCE, f"cycle {cycle}: stuck since cycle {monitor.last}"
        cycle += 1
    memory.close()
    return memory.contents[: len(job["memory"])], cycle, monitor.spans


@cocotb.test()
async def programs(dut: Any) -> None:
    """Run the programs in `exchange.inputs`, one after another, after one reset."""
    dut.rst.value = 1
    dut.instructions__valid.value = 0
    dut.memory__request__ready.value = 0
    dut.memory__write__ready.value = 0
    dut.memory__read__valid.value = 0
    Clock(dut.clk, 2, "ns").start()
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    exchange.outputs["results"] = [await execute(dut, job, exchange.seed) for job in exchange.inputs["jobs"]]
