"""The memory on the chip, behind the engine's memory port."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

from ..models.accelerator import Memory
from .layouts import MemorySignature


class ChipMemory(wiring.Component):
    """A memory with the timing of its description, to the cycle, as long as beats of writes are there in time.

    Bursts start at any byte: each byte of a beat has a memory of its own, whose address is a word further on if the
    byte lies before the burst's first one. Addresses wrap round at the size.

    Parameters
    ----------
    timing : beat, latency (at least 1) and overhead of a burst.
    size : bytes, a power of two.

    Ports
    -----
    port : `MemorySignature`, as the memory's user sees it.
    """

    def __init__(self, timing: Memory, size: int) -> None:
        if timing.latency < 1:
            raise ValueError(f"latency = {timing.latency}: a memory on the chip takes at least a cycle")
        self._timing, self._size = timing, size
        super().__init__({"port": In(MemorySignature(timing.bytes_per_cycle))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat, overhead, latency = self._timing.bytes_per_cycle, self._timing.burst_overhead, self._timing.latency
        shift = exact_log2(beat)
        port, request = self.port, self.port.request

        address = Signal(exact_log2(self._size))
        left = Signal(24)  # beats of the burst that are still to move
        delay = Signal(range(max(overhead, 1) + 1))
        write, moving, moved = Signal(), Signal(), Signal()
        m.d.comb += [
            moving.eq((left != 0) & (delay == 0)),
            port.write.ready.eq(moving & write),
            moved.eq(moving & (~write | port.write.valid)),
            request.ready.eq((left == 0) | (moved & (left == 1))),
        ]
        with m.If(delay != 0):
            m.d.sync += delay.eq(delay - 1)
        with m.If(moved):
            m.d.sync += [left.eq(left - 1), address.eq(address + beat)]
        with m.If(request.valid & request.ready):
            m.d.sync += [
                address.eq(request.payload.address),
                left.eq(request.payload.beats),
                write.eq(request.payload.write),
                delay.eq(overhead),
            ]

        place = address[:shift]
        data = rotate(m, port.write.payload.data, 8, place, "data")
        mask = rotate(m, port.write.payload.mask, 1, place, "mask")
        words, read = address[shift:], Signal(8 * beat)
        for lane in range(beat):
            m.submodules[f"lane_{lane}"] = cells = memory.Memory(shape=8, depth=self._size // beat, init=[])
            reader, writer = cells.read_port(), cells.write_port()
            word = (words + (place > lane))[: len(words)]
            m.d.comb += [
                reader.addr.eq(word),
                reader.en.eq(moving & ~write),
                writer.addr.eq(word),
                writer.data.eq(data.word_select(lane, 8)),
                writer.en.eq(moved & write & mask[lane]),
                read.word_select(lane, 8).eq(reader.data),
            ]

        arrived, start = Signal(), Signal(max(shift, 1))
        m.d.sync += [arrived.eq(moving & ~write), start.eq((beat - place)[:shift])]
        valid: Value = arrived
        beats: Value = rotate(m, read, 8, start, "read")
        for stage in range(latency - 1):
            later, shown = Signal(name=f"valid_{stage}"), Signal(8 * beat, name=f"data_{stage}")
            m.d.sync += [later.eq(valid), shown.eq(beats)]
            valid, beats = later, shown
        m.d.comb += [port.read.valid.eq(valid), port.read.data.eq(beats)]
        return m


def rotate(m: Module, value: Value, element: int, amount: Value, name: str) -> Value:
    """Return `value` with its elements of `element` bits moved up by `amount` places, the top ones to the bottom."""
    for stage, bit in enumerate(amount):
        moved = Signal(len(value), name=f"{name}_{stage}")
        m.d.comb += moved.eq(Mux(bit, value.rotate_left(element << stage), value))
        value = moved
    return value
