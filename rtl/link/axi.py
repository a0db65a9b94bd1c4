"""A system on a bus: AXI4-Lite for its registers, AXI4-Stream for data; the names are those that tools look for."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out, connect, flipped
from amaranth.utils import exact_log2

from ...models.link.message import Command, Status
from ...models.link.registers import REGISTERS, RESULT, WRITABLE, offset
from ...models.system import System
from ..layouts import MemorySignature
from ..sequence import RunSignature
from .judge import judge
from .transfer import Transfer

ADDRESS = 6
"""Bits of a register's address."""


def ports(beat: int) -> dict[str, Member]:
    """Return the ports of the bus: ``s_axil_...``, ``s_axis_...`` (to memory) and ``m_axis_...`` (from memory).

    Answers of AXI4-Lite are always OKAY; `prot` and `strb` do not matter.
    """
    lite = {
        "awaddr": In(ADDRESS),
        "awprot": In(3),
        "awvalid": In(1),
        "awready": Out(1),
        "wdata": In(32),
        "wstrb": In(4),
        "wvalid": In(1),
        "wready": Out(1),
        "bresp": Out(2),
        "bvalid": Out(1),
        "bready": In(1),
        "araddr": In(ADDRESS),
        "arprot": In(3),
        "arvalid": In(1),
        "arready": Out(1),
        "rdata": Out(32),
        "rresp": Out(2),
        "rvalid": Out(1),
        "rready": In(1),
    }
    data = {"tdata": Out(8 * beat), "tkeep": Out(beat), "tlast": Out(1), "tvalid": Out(1), "tready": In(1)}
    found = {f"s_axil_{name}": member for name, member in lite.items()}
    found |= {f"s_axis_{name}": member.flip() for name, member in data.items()}
    return found | {f"m_axis_{name}": member for name, member in data.items()}


class AxiLink(wiring.Component):
    """From the bus to the ports of a `Core`; see `models.link.registers`.

    Ports
    -----
    those of `ports`; access, run, reset : as a `Core`'s user sees them.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        beat = system.accelerator.memory.bytes_per_cycle
        core = {"access": Out(MemorySignature(beat)), "run": Out(RunSignature()), "reset": Out(1)}
        super().__init__(ports(beat) | core)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        system, run = self._system, self.run
        beat = system.accelerator.memory.bytes_per_cycle
        transfer = Transfer(beat)
        m.submodules.transfer = ResetInserter(self.reset)(transfer)
        connect(m, transfer.access, flipped(self.access))
        m.d.comb += [
            transfer.incoming.valid.eq(self.s_axis_tvalid),
            transfer.incoming.payload.eq(Cat(self.s_axis_tdata, self.s_axis_tkeep, self.s_axis_tlast)),
            self.s_axis_tready.eq(transfer.incoming.ready),
            self.m_axis_tvalid.eq(transfer.outgoing.valid),
            Cat(self.m_axis_tdata, self.m_axis_tkeep, self.m_axis_tlast).eq(transfer.outgoing.payload),
            transfer.outgoing.ready.eq(self.m_axis_tready),
        ]

        # Registers. A write waits until both its address and its data are there.
        address, length, result = Signal(32), Signal(32), Signal(8)
        place, data = Signal(ADDRESS), Signal(32)
        placed, given, written = Signal(), Signal(), Signal()
        m.d.comb += [
            self.s_axil_awready.eq(~placed),
            self.s_axil_wready.eq(~given),
            written.eq(placed & given & ~self.s_axil_bvalid),
        ]
        with m.If(self.s_axil_awvalid & self.s_axil_awready):
            m.d.sync += [placed.eq(1), place.eq(self.s_axil_awaddr)]
        with m.If(self.s_axil_wvalid & self.s_axil_wready):
            m.d.sync += [given.eq(1), data.eq(self.s_axil_wdata)]
        with m.If(self.s_axil_bready):
            m.d.sync += self.s_axil_bvalid.eq(0)
        with m.If(written):
            m.d.sync += [placed.eq(0), given.eq(0), self.s_axil_bvalid.eq(1)]

        command = Signal(8)
        m.d.comb += command.eq(data)
        moves = (command == Command.WRITE) | (command == Command.READ)
        odd = moves & (address[: exact_log2(beat)].any() | (length == 0))
        malformed, busy = odd | data[8:].any(), run.running | transfer.moving
        verdict = judge(m, system, command, address, length, malformed, busy)
        m.d.comb += [
            transfer.address.eq(address),
            transfer.length.eq(length),
            transfer.write.eq(command == Command.WRITE),
            run.first.eq(address),
            run.count.eq(length),
        ]
        with m.If(transfer.fault):
            m.d.sync += result.eq(Status.MALFORMED)
        with m.If(written), m.Switch(place):
            for name, register in zip(WRITABLE, (address, length), strict=False):
                with m.Case(offset(name)), m.If(~transfer.moving):
                    m.d.sync += register.eq(data)
            with m.Case(offset("command")):
                m.d.sync += result.eq(verdict)
                with m.If(verdict == Status.DONE):
                    m.d.comb += [
                        transfer.start.eq(moves),
                        run.start.eq(command == Command.RUN),
                        self.reset.eq(command == Command.RESET),
                    ]

        state = Signal(32)
        m.d.comb += state.eq(Cat(run.running, transfer.moving) | result << RESULT)
        fingerprint = int.from_bytes(system.fingerprint, "little")
        fixed = [fingerprint & 0xFFFFFFFF, fingerprint >> 32, system.memory_bytes, system.instructions]
        values = Array([*fixed, state, run.cycles, address, length, command])
        index = self.s_axil_araddr[2:]
        m.d.comb += self.s_axil_arready.eq(~self.s_axil_rvalid)
        with m.If(self.s_axil_rready):
            m.d.sync += self.s_axil_rvalid.eq(0)
        with m.If(self.s_axil_arvalid & self.s_axil_arready):
            m.d.sync += [self.s_axil_rvalid.eq(1), self.s_axil_rdata.eq(0)]
            with m.If(index < len(REGISTERS)):
                m.d.sync += self.s_axil_rdata.eq(values[index])
        return m
