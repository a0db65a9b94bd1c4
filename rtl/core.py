"""The engine with its memory and its instructions: a system without its link."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Component, In, connect
from amaranth.utils import exact_log2

from ..models.system import PROGRAM, System
from .layouts import MemorySignature
from .memory import ChipMemory
from .sequence import RunSignature, Sequence


class Core(wiring.Component):
    """What every link works with.

    Parameters
    ----------
    system : sizes of the memory and of the program.
    engine : `Engine`, or something with the same ports `instructions`, `memory` and `idle`.

    Ports
    -----
    access : `MemorySignature`, as the link sees it, for the memory and, from `models.system.PROGRAM` on, for writes of
        instructions. Addresses are multiples of a beat. Requests are accepted while no program runs.
    run : `RunSignature`.
    reset : in; what runs ends, in this cycle. Memory and instructions keep their content.
    """

    def __init__(self, system: System, engine: Component) -> None:
        self._system, self._engine = system, engine
        beat = system.accelerator.memory.bytes_per_cycle
        super().__init__({"access": In(MemorySignature(beat)), "run": In(RunSignature()), "reset": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        system, access = self._system, self.access
        timing = system.accelerator.memory
        engine, memory = self._engine, ChipMemory(timing, system.memory_bytes)
        sequence = Sequence(system.instructions, timing.bytes_per_cycle)
        for name, part in (("engine", engine), ("memory", memory), ("sequence", sequence)):
            m.submodules[name] = ResetInserter(self.reset)(part)
        connect(m, sequence.instructions, engine.instructions)
        m.d.comb += [
            sequence.idle.eq(engine.idle),
            sequence.run.start.eq(self.run.start),
            sequence.run.first.eq(self.run.first),
            sequence.run.count.eq(self.run.count),
            self.run.running.eq(sequence.run.running),
            self.run.cycles.eq(sequence.run.cycles),
        ]

        # A burst of instructions: one word in each cycle.
        address = Signal(range(2 * PROGRAM))
        left = Signal(24)
        port = memory.port
        instructions = access.request.payload.address[exact_log2(PROGRAM)]
        with m.If(self.run.running):
            for mine, theirs in ((port.request, engine.memory.request), (port.write, engine.memory.write)):
                m.d.comb += [
                    mine.valid.eq(theirs.valid),
                    mine.payload.eq(theirs.payload),
                    theirs.ready.eq(mine.ready),
                ]
            m.d.comb += [engine.memory.read.valid.eq(port.read.valid), engine.memory.read.data.eq(port.read.data)]
        with m.Elif(left != 0):
            m.d.comb += [access.write.ready.eq(1), sequence.write.enable.eq(access.write.valid)]
            with m.If(access.write.valid):
                m.d.sync += [left.eq(left - 1), address.eq(address + timing.bytes_per_cycle)]
        with m.Else():
            m.d.comb += [
                port.request.payload.eq(access.request.payload),
                port.request.valid.eq(access.request.valid & ~instructions),
                access.request.ready.eq(port.request.ready),
                port.write.valid.eq(access.write.valid),
                port.write.payload.eq(access.write.payload),
                access.write.ready.eq(port.write.ready),
                access.read.valid.eq(port.read.valid),
            ]
            with m.If(access.request.valid & access.request.ready & instructions):
                m.d.sync += [left.eq(access.request.payload.beats), address.eq(access.request.payload.address)]
        m.d.comb += [
            access.read.data.eq(port.read.data),
            sequence.write.address.eq(address),
            sequence.write.data.eq(access.write.payload.data),
            sequence.write.mask.eq(access.write.payload.mask),
        ]
        return m
