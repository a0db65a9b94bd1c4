"""A system with a stand-in for the engine: the circuit with which the link is tested."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from dyad.models.program.isa import INSTRUCTION_BYTES
from dyad.models.system import System
from dyad.rtl.core import Core
from dyad.rtl.layouts import MemorySignature
from dyad.rtl.link.axi import AxiLink, ports
from dyad.rtl.link.uart import OctetSignature, UartReceiver
from dyad.rtl.system import SerialLink


class Tally(wiring.Component):
    """Writes, for each instruction, how many it has taken since it was made, to the address in its lowest 40 bits.

    Ports: ``instructions``, ``memory`` and ``idle``, as those of `Engine`.
    """

    def __init__(self, beat: int) -> None:
        super().__init__(
            {
                "instructions": In(stream.Signature(8 * INSTRUCTION_BYTES)),
                "memory": Out(MemorySignature(beat)),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        taken = Signal(32, reset_less=True)
        asking, writing = Signal(), Signal()
        request, write = self.memory.request, self.memory.write
        address = Signal(40)
        m.d.comb += [
            self.idle.eq(~asking & ~writing),
            self.instructions.ready.eq(self.idle),
            request.valid.eq(asking),
            request.payload.address.eq(address),
            request.payload.beats.eq(1),
            request.payload.write.eq(1),
            write.valid.eq(writing),
            write.payload.data.eq(taken),
            write.payload.mask.eq(0b1111),
        ]
        with m.If(self.instructions.valid & self.instructions.ready):
            m.d.sync += [
                taken.eq(taken + 1),
                address.eq(self.instructions.payload),
                asking.eq(1),
                writing.eq(1),
            ]
        with m.If(request.valid & request.ready):
            m.d.sync += asking.eq(0)
        with m.If(write.valid & write.ready):
            m.d.sync += writing.eq(0)
        return m


class BusTally(wiring.Component):
    """A system on a bus without an accelerator. Ports: those of `dyad.rtl.link.axi.ports`."""

    def __init__(self, system: System) -> None:
        self._system = system
        super().__init__(ports(system.accelerator.memory.bytes_per_cycle))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = AxiLink(self._system)
        m.submodules.core = core = Core(self._system, Tally(self._system.accelerator.memory.bytes_per_cycle))
        connect(m, link.access, core.access)
        connect(m, link.run, core.run)
        m.d.comb += core.reset.eq(link.reset)
        for name, member in self.signature.members.items():
            taken, given = (link, self) if member.flow is In else (self, link)
            m.d.comb += getattr(taken, name).eq(getattr(given, name))
        return m


class LinkedTally(wiring.Component):
    """A system without an accelerator. Ports: ``rx``, ``tx``."""

    def __init__(self, system: System, divisor: int) -> None:
        self._system, self._divisor = system, divisor
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = SerialLink(self._system, self._divisor)
        m.submodules.core = core = Core(self._system, Tally(self._system.accelerator.memory.bytes_per_cycle))
        connect(m, link.access, core.access)
        connect(m, link.run, core.run)
        m.d.comb += [core.reset.eq(link.reset), link.rx.eq(self.rx), self.tx.eq(link.tx)]
        return m


class Receivers(wiring.Component):
    """Receivers of several speeds on one line. Ports: ``rx``; ``octets``, of each, `OctetSignature`."""

    def __init__(self, divisors: tuple[int, ...]) -> None:
        self._divisors = divisors
        super().__init__({"rx": In(1, init=1), "octets": Out(OctetSignature()).array(len(divisors))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for divisor, octets in zip(self._divisors, self.octets, strict=True):
            m.submodules[f"receiver_{divisor}"] = receiver = UartReceiver(divisor)
            m.d.comb += receiver.rx.eq(self.rx)
            connect(m, receiver.octets, flipped(octets))
        return m
