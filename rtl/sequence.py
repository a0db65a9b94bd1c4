"""The instructions on the chip, and what offers them to the engine and counts the cycles."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import exact_log2

from ..models.link.message import MOST_CYCLES
from ..models.program.isa import INSTRUCTION_BYTES


class RunSignature(Signature):
    """How a program is run, as the one who wants it sees it.

    Members
    -------
    start : out; for one cycle in which not `running`.
    first, count : out; the instructions to run, at least one.
    running : in; from the cycle after `start` to the one that finds the engine idle again.
    cycles : in; from the cycle that offered the first instruction on, to the one that found the engine idle; stops at
        its largest value.
    """

    def __init__(self) -> None:
        super().__init__({"start": Out(1), "first": Out(16), "count": Out(16), "running": In(1), "cycles": In(32)})


class Sequence(wiring.Component):
    """Holds instructions and offers them to the engine, one in every cycle in which it takes one.

    Parameters
    ----------
    depth : instructions, a power of two.
    beat : bytes of a beat; it divides an instruction.

    Ports
    -----
    write : `enable` in; `address` in, a byte at a multiple of a beat; `data` in, a beat; `mask` in, a bit for each of
        its bytes.
    run : `RunSignature`.
    instructions : out, stream of instructions.
    idle : in; the engine's.
    """

    def __init__(self, depth: int, beat: int) -> None:
        self._depth, self._beat = depth, beat
        write = {"enable": Out(1), "address": Out(range(depth * INSTRUCTION_BYTES)), "data": Out(8 * beat)}
        super().__init__(
            {
                "write": In(Signature(write | {"mask": Out(beat)})),
                "run": In(RunSignature()),
                "instructions": Out(stream.Signature(8 * INSTRUCTION_BYTES)),
                "idle": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.words = words = memory.Memory(shape=8 * INSTRUCTION_BYTES, depth=self._depth, init=[])
        write, read = words.write_port(granularity=8), words.read_port()
        place = self.write.address[: exact_log2(INSTRUCTION_BYTES)]
        m.d.comb += [
            write.addr.eq(self.write.address[exact_log2(INSTRUCTION_BYTES) :]),
            write.data.eq(self.write.data.replicate(INSTRUCTION_BYTES // self._beat)),
        ]
        with m.If(self.write.enable):
            m.d.comb += write.en.eq(self.write.mask << place)

        run, instructions = self.run, self.instructions
        following, left = Signal(range(self._depth)), Signal(16)
        offered, ended = Signal(), Signal()  # offered: the first instruction was, or is
        m.d.comb += [
            read.addr.eq(following),
            read.en.eq((left != 0) & (~instructions.valid | instructions.ready)),
            instructions.payload.eq(read.data),
            ended.eq(offered & (left == 0) & ~instructions.valid & self.idle),
        ]
        with m.If(read.en):
            m.d.sync += [following.eq(following + 1), left.eq(left - 1), instructions.valid.eq(1), offered.eq(1)]
        with m.Elif(instructions.ready):
            m.d.sync += instructions.valid.eq(0)
        with m.If(ended):
            m.d.sync += [run.running.eq(0), offered.eq(0)]
        with m.Elif(offered & (run.cycles != MOST_CYCLES)):
            m.d.sync += run.cycles.eq(run.cycles + 1)
        with m.If(run.start):
            m.d.sync += [run.running.eq(1), run.cycles.eq(0), following.eq(run.first), left.eq(run.count)]
        return m
