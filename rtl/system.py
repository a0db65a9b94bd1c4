"""Complete systems: behind a serial line, or on a bus."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..models.system import System
from .core import Core
from .engine import Engine
from .layouts import MemorySignature
from .link.axi import AxiLink, ports
from .link.control import Control
from .link.frame import FrameReceiver, FrameSender
from .link.uart import UartReceiver, UartTransmitter
from .sequence import RunSignature


class SerialLink(wiring.Component):
    """From the pins of a serial line to the ports of a `Core`.

    Parameters
    ----------
    system : what the link says it belongs to.
    divisor : cycles of a bit.

    Ports
    -----
    rx : in; tx : out; the line, 8N1.
    access, run, reset : as a `Core`'s user sees them.
    """

    def __init__(self, system: System, divisor: int) -> None:
        self._system, self._divisor = system, divisor
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "access": Out(MemorySignature(system.accelerator.memory.bytes_per_cycle)),
                "run": Out(RunSignature()),
                "reset": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(self._divisor)
        m.submodules.frames = frames = FrameReceiver()
        m.submodules.control = control = Control(self._system)
        m.submodules.sender = sender = FrameSender()
        m.submodules.transmitter = transmitter = UartTransmitter(self._divisor)
        connect(m, receiver.octets, frames.octets)
        connect(m, frames.body, control.body)
        connect(m, control.answer, sender.body)
        connect(m, sender.octets, transmitter.octets)
        connect(m, control.access, flipped(self.access))
        connect(m, control.run, flipped(self.run))
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx), self.reset.eq(control.reset)]
        return m


class SerialSystem(wiring.Component):
    """An accelerator that a host loads and runs over a serial line, as `models.link` says.

    Parameters
    ----------
    system : the accelerator, and how much of everything is on the chip.
    divisor : cycles of a bit.

    Ports
    -----
    rx : in; tx : out; the line, 8N1.
    """

    def __init__(self, system: System, divisor: int) -> None:
        self._system, self._divisor = system, divisor
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = SerialLink(self._system, self._divisor)
        m.submodules.core = core = Core(self._system, Engine(self._system.accelerator))
        connect(m, link.access, core.access)
        connect(m, link.run, core.run)
        # A reset reaches everything from a register: the next request takes longer to arrive than that.
        m.d.sync += core.reset.eq(link.reset)
        m.d.comb += [link.rx.eq(self.rx), self.tx.eq(link.tx)]
        return m


class AxiSystem(wiring.Component):
    """An accelerator that a host loads and runs over AXI, as `models.link.registers` says.

    Ports
    -----
    those of `link.axi.ports`.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        super().__init__(ports(system.accelerator.memory.bytes_per_cycle))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = AxiLink(self._system)
        m.submodules.core = core = Core(self._system, Engine(self._system.accelerator))
        connect(m, link.access, core.access)
        connect(m, link.run, core.run)
        m.d.comb += core.reset.eq(link.reset)
        for name, member in self.signature.members.items():
            taken, given = (link, self) if member.flow is In else (self, link)
            m.d.comb += getattr(taken, name).eq(getattr(given, name))
        return m
