"""Dispatch: a queue of instructions for each unit, the tokens between units, and fences."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out, Signature

from ..models.program.isa import INSTRUCTION_BYTES, UNITS
from .layouts import HEADER_LAYOUT

TOKEN_BITS = 4
"""Bits of the counter of tokens from one unit to another."""


class Dispatch(wiring.Component):
    """Takes instructions in order, hands each to its unit, and starts it when its tokens are there.

    Parameters
    ----------
    depth : instructions that each unit's queue holds, the one that runs included.

    Ports
    -----
    instructions : in, stream of instructions in their binary form. One is taken in every cycle in which the queue of
        its unit has room; after one with `fence` none is taken until `idle`.
    unit : for each unit, in the order of `UNITS`: `start` out, `command` out and `done` in, with the rules of
        `UnitSignature`; the command is the raw instruction.
    idle : out; all queues are empty and no unit works.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        bits = 8 * INSTRUCTION_BYTES
        unit = Signature({"start": Out(1), "command": Out(bits), "done": In(1)})
        super().__init__(
            {"instructions": In(stream.Signature(bits)), "unit": Out(unit).array(len(UNITS)), "idle": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fenced = Signal()
        queues = [SyncFIFO(width=len(self.instructions.payload), depth=self._depth) for _ in UNITS]
        m.submodules += queues
        m.d.comb += self.idle.eq(~Cat(queue.r_rdy for queue in queues).any())

        header = data.View(HEADER_LAYOUT, self.instructions.payload[: HEADER_LAYOUT.size])
        take = Signal()
        m.d.comb += take.eq(self.instructions.valid & (~fenced | self.idle))
        with m.Switch(header.opcode):
            for index, queue in enumerate(queues):
                with m.Case(index):
                    m.d.comb += [self.instructions.ready.eq(take & queue.w_rdy), queue.w_en.eq(take & queue.w_rdy)]
        m.d.comb += [queue.w_data.eq(self.instructions.payload) for queue in queues]
        with m.If(self.instructions.ready):
            m.d.sync += fenced.eq(header.fence)

        # tokens[f][t] counts what unit f has left for unit t.
        tokens = [[Signal(TOKEN_BITS, name=f"{f}_to_{t}") for t in UNITS] for f in UNITS]
        working = Signal(len(UNITS))
        headers = [data.View(HEADER_LAYOUT, queue.r_data[: HEADER_LAYOUT.size]) for queue in queues]
        for t, (queue, unit) in enumerate(zip(queues, self.unit, strict=True)):
            missing = Cat(headers[t].wait[f] & (tokens[f][t] == 0) for f in range(len(UNITS)))
            m.d.comb += [
                unit.start.eq(queue.r_rdy & ~working[t] & ~missing.any()),
                unit.command.eq(queue.r_data),
                queue.r_en.eq(unit.done),
            ]
            m.d.sync += working[t].eq((working[t] | unit.start) & ~unit.done)
            for f in range(len(UNITS)):
                given = self.unit[f].done & headers[f].signal[t]
                taken = unit.start & headers[t].wait[f]
                m.d.sync += tokens[f][t].eq(tokens[f][t] + given - taken)
        return m
