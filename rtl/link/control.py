"""Does what requests ask for: the circuit of `models.link.device.Device.answer`."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import Out
from amaranth.utils import exact_log2

from ...models.link.frame import LARGEST_DATA
from ...models.link.message import ANSWER, ANSWER_BYTES, HEADER, IDENTITY, PROGRESS, Command, Status
from ...models.system import System
from ..layouts import MemorySignature
from ..sequence import RunSignature
from .frame import BodySignature
from .judge import judge

LAYOUT = data.StructLayout({"sequence": 8, "command": 8, "address": 32, "length": 16})
"""The header of a request."""


class Control(wiring.Component):
    """Executes one request after another, a byte of data at a time.

    Ports
    -----
    body : `BodySignature`, the request.
    answer : out, stream of `octet` and `last`.
    access : `MemorySignature`; requests of one beat, of which one byte matters.
    run : `RunSignature`.
    reset : out, for one cycle.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        octets = data.StructLayout({"octet": 8, "last": 1})
        super().__init__(
            {
                "body": Out(BodySignature()),
                "answer": Out(stream.Signature(octets)),
                "access": Out(MemorySignature(system.accelerator.memory.bytes_per_cycle)),
                "run": Out(RunSignature()),
                "reset": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        system, body, answer, access = self._system, self.body, self.answer, self.access
        header = Signal(LAYOUT)
        status, last_status = Signal(8), Signal(8, init=Status.ORDER)
        last = Signal(8)
        index = Signal(range(max(HEADER.size, IDENTITY.size) + 1))
        moved, size = Signal(16), Signal(16)  # bytes of data moved so far, bytes of data of the answer
        progress = Signal(8 * PROGRESS.size)  # when the request was looked at
        size_of_request = HEADER.size + Mux(header.command == Command.WRITE, header.length, 0)
        too_long = (header.command == Command.READ) & (header.length > LARGEST_DATA)
        judged = judge(
            m,
            system,
            header.command,
            header.address,
            header.length,
            malformed=body.length != size_of_request,
            busy=self.run.running,
        )
        # Malformed requests come first, busy systems last; an answer that is too long lies between them.
        verdict = Mux(too_long & ((judged == Status.DONE) | (judged == Status.BUSY)), Status.RANGE, judged)

        address = Signal(32)
        lane_bits = exact_log2(system.accelerator.memory.bytes_per_cycle)
        lane = address[:lane_bits]
        writing, requested, written = Signal(), Signal(), Signal()
        octet = Signal(8)
        m.d.comb += [
            address.eq(header.address + moved),
            access.request.payload.address.eq(Cat(Const(0, lane_bits), address[lane_bits:])),
            access.request.payload.beats.eq(1),
            access.request.payload.write.eq(writing),
            access.write.payload.data.eq(body.data.replicate(1 << lane_bits)),
            access.write.payload.mask.eq(1 << lane),
            self.run.first.eq(header.address),
            self.run.count.eq(header.length),
        ]
        identity = IDENTITY.pack(system.fingerprint, system.memory_bytes, system.instructions, LARGEST_DATA)
        answer_header = Array([header.sequence, header.command | ANSWER, status])

        with m.FSM():
            with m.State("idle"):
                m.d.sync += [index.eq(0), moved.eq(0), size.eq(0)]
                with m.If(body.valid):
                    m.next = "header"
            with m.State("header"):
                m.d.comb += body.address.eq(index)
                m.d.sync += index.eq(index + 1)
                with m.If(index != 0):
                    m.d.sync += header.eq(Cat(header.as_value()[8:], body.data))
                with m.If(index == HEADER.size):
                    m.next = "judge"
            with m.State("judge"):
                ahead = (header.sequence - last)[:8]
                identify, again = header.command == Command.IDENTIFY, header.command == Command.RUN
                m.d.sync += [index.eq(0), status.eq(verdict)]
                m.d.sync += progress.eq(Cat(self.run.running, Const(0, 7), self.run.cycles))
                with m.If(~identify & (ahead > 1)):
                    m.d.sync += status.eq(Status.ORDER)
                    m.next = "answer"
                with m.Elif(again & (ahead == 0)):
                    m.d.sync += status.eq(last_status)
                    m.next = "answer"
                with m.Else():
                    m.d.sync += [last.eq(header.sequence), last_status.eq(verdict)]
                    m.next = "answer"
                    with m.If(verdict == Status.DONE), m.Switch(header.command):
                        with m.Case(Command.IDENTIFY):
                            m.d.sync += size.eq(IDENTITY.size)
                        with m.Case(Command.WRITE), m.If(header.length != 0):
                            m.next = "fetch"
                        with m.Case(Command.READ):
                            m.d.sync += size.eq(header.length)
                        with m.Case(Command.RUN):
                            m.d.comb += self.run.start.eq(1)
                        with m.Case(Command.STATUS):
                            m.d.sync += size.eq(PROGRESS.size)
                        with m.Case(Command.RESET):
                            m.d.comb += self.reset.eq(1)

            with m.State("fetch"):
                m.d.comb += body.address.eq(moved + HEADER.size)
                m.d.sync += [requested.eq(0), written.eq(0)]
                m.next = "write"
            with m.State("write"):
                m.d.comb += [
                    body.address.eq(moved + HEADER.size),
                    access.request.valid.eq(~requested),
                    writing.eq(1),
                    access.write.valid.eq(~written),
                ]
                with m.If(access.request.ready):
                    m.d.sync += requested.eq(1)
                with m.If(access.write.ready):
                    m.d.sync += written.eq(1)
                with m.If(requested & written):
                    m.d.comb += [access.request.valid.eq(0), access.write.valid.eq(0)]
                    m.d.sync += moved.eq(moved + 1)
                    with m.If(moved + 1 == header.length):
                        m.d.sync += moved.eq(0)
                        m.next = "answer"
                    with m.Else():
                        m.next = "fetch"

            with m.State("answer"):
                m.d.comb += [
                    answer.valid.eq(1),
                    answer.payload.octet.eq(answer_header[index]),
                    answer.payload.last.eq((index == ANSWER_BYTES - 1) & (size == 0)),
                ]
                with m.If(answer.ready):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == ANSWER_BYTES - 1):
                        m.next = "next"
            with m.State("next"):
                m.d.sync += requested.eq(0)
                with m.If(moved == size):
                    m.d.comb += body.take.eq(1)
                    m.next = "idle"
                with m.Elif(header.command == Command.READ):
                    m.next = "read"
                with m.Else():
                    with m.If(header.command == Command.IDENTIFY):
                        m.d.sync += octet.eq(Array(identity)[moved[: len(index)]])
                    with m.Else():
                        m.d.sync += octet.eq(progress.word_select(moved[:3], 8))
                    m.next = "data"
            with m.State("read"):
                m.d.comb += access.request.valid.eq(~requested)
                with m.If(access.request.ready):
                    m.d.sync += requested.eq(1)
                with m.If(access.read.valid):
                    m.d.sync += octet.eq(access.read.data.word_select(lane, 8))
                    m.next = "data"
            with m.State("data"):
                m.d.comb += [
                    answer.valid.eq(1),
                    answer.payload.octet.eq(octet),
                    answer.payload.last.eq(moved + 1 == size),
                ]
                with m.If(answer.ready):
                    m.d.sync += moved.eq(moved + 1)
                    m.next = "next"
        return m
