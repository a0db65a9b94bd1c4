"""A serial line that ends at the pins of a simulated circuit: what `hw.host` talks over inside a cocotb bench."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cocotb
from cocotb.triggers import Event, FallingEdge, First, Timer

from .dialogue import Result, Send, Steps
from .host import BITS

CYCLE = 2
"""Steps of the simulation in a cycle of the clock."""

Noise = Callable[[list[int]], list[int]]


def unchanged(bits: list[int]) -> list[int]:
    """Return the bits as they are: a line without noise."""
    return bits


class Pins:
    """The host's end of the line; `rx` and `tx` are the circuit's pins.

    Parameters
    ----------
    dut : the circuit, whose clock has a period of `CYCLE` steps.
    divisor : cycles of a bit.
    to_device : what becomes of the bits of each `Send`, start and stop bits included.
    to_host : what becomes of the ten bits of each byte of an answer.
    """

    def __init__(self, dut: Any, divisor: int, to_device: Noise = unchanged, to_host: Noise = unchanged) -> None:
        self._rx, self._tx, self._bit = dut.rx, dut.tx, CYCLE * divisor
        self._to_device, self._to_host = to_device, to_host
        self._came = bytearray()
        self._news = Event()
        self._rx.value = 1
        cocotb.start_soon(self._listen())

    async def drive(self, steps: Steps[Result]) -> Result:
        """Take steps, and return their result."""
        try:
            step = next(steps)
            while True:
                if isinstance(step, Send):
                    await self.send(step.octets)
                    step = next(steps)
                else:
                    step = steps.send(await self.receive(step.patience))
        except StopIteration as end:
            return end.value

    async def send(self, octets: bytes) -> None:
        """Send `octets`."""
        for level, length in _runs(self._to_device([bit for octet in octets for bit in _bits(octet)])):
            self._rx.value = level
            await Timer(length * self._bit, "step")
        self._rx.value = 1

    async def receive(self, patience: int) -> bytes:
        """Return what has come; wait for a byte for the time of `patience` bytes."""
        if not self._came:
            self._news.clear()
            await First(self._news.wait(), Timer(patience * BITS * self._bit, "step"))
        came = bytes(self._came)
        self._came.clear()
        return came

    async def _listen(self) -> None:
        half, whole = Timer(self._bit // 2, "step"), Timer(self._bit, "step")
        falling = FallingEdge(self._tx)
        while True:
            await falling
            await half
            bits = []
            for _ in range(BITS):
                bits.append(int(self._tx.value))
                if len(bits) < BITS:
                    await whole
            start, *data, stop = self._to_host(bits)
            if stop and not start:
                self._came.append(sum(bit << index for index, bit in enumerate(data)))
                self._news.set()


def _bits(octet: int) -> Iterator[int]:
    yield 0
    yield from (octet >> index & 1 for index in range(8))
    yield 1


def _runs(bits: list[int]) -> Iterator[tuple[int, int]]:
    """Yield levels and how many bits each lasts."""
    start = 0
    for index in range(1, len(bits) + 1):
        if index == len(bits) or bits[index] != bits[start]:
            yield bits[start], index - start
            start = index
