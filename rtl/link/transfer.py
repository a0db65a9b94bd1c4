"""Moves data between streams and memory, in bursts."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ...models.system import ADDRESS_BITS
from ..layouts import MemorySignature

BURST = 8
"""Most beats of a burst that is read, since there must be room for all of them."""

ROOM = 4 * BURST
"""Beats that have been read, or asked for, and are not yet taken."""


def beats_layout(beat: int) -> data.StructLayout:
    """Return the layout of a beat of a stream: data, a bit for each byte that counts, whether it is the last."""
    return data.StructLayout({"data": 8 * beat, "keep": beat, "last": 1})


class Transfer(wiring.Component):
    """Executes one transfer at a time.

    Parameters
    ----------
    beat : bytes of a beat.

    Ports
    -----
    start : in, for one cycle in which not `moving`. write, address, length : in; which transfer; the address is a
        multiple of a beat, and there is a byte at least.
    moving : out; from the cycle after `start` on.
    fault : out, for one cycle; the last beat of a write was not marked, or another one was.
    incoming : in, stream of `beats_layout`; taken during a write only, to the last beat of the transfer or to one that
        is marked as the last, whatever comes later.
    outgoing : out, stream of `beats_layout`.
    access : `MemorySignature`.
    """

    def __init__(self, beat: int) -> None:
        self._beat = beat
        super().__init__(
            {
                "start": In(1),
                "write": In(1),
                "address": In(ADDRESS_BITS),
                "length": In(ADDRESS_BITS),
                "moving": Out(1),
                "fault": Out(1),
                "incoming": In(stream.Signature(beats_layout(beat))),
                "outgoing": Out(stream.Signature(beats_layout(beat))),
                "access": Out(MemorySignature(beat)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat, access, incoming, outgoing = self._beat, self.access, self.incoming, self.outgoing
        shift = exact_log2(beat)
        address, asked = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)  # asked: beats that are still to be asked for
        left = Signal(ADDRESS_BITS)  # beats of the transfer that are still to move
        final_keep = Signal(beat)
        writing, requesting, requested = Signal(), Signal(), Signal()
        beats = (self.length + (beat - 1)) >> shift
        final, rest = left == 1, self.length[:shift]
        keep = Mux(final, final_keep, (1 << beat) - 1)

        m.submodules.queue = queue = SyncFIFO(width=8 * beat, depth=ROOM)
        burst, coming = Signal(range(BURST + 1)), Signal(range(ROOM + 1))
        m.d.comb += [
            burst.eq(Mux(asked < BURST, asked, BURST)),
            access.request.valid.eq(requesting),
            access.request.payload.address.eq(address),
            access.request.payload.beats.eq(Mux(writing, left, burst)),
            access.request.payload.write.eq(writing),
            queue.w_en.eq(access.read.valid),
            queue.w_data.eq(access.read.data),
            outgoing.payload.data.eq(queue.r_data),
            outgoing.payload.keep.eq(keep),
            outgoing.payload.last.eq(final),
            access.write.payload.data.eq(incoming.payload.data),
            self.moving.eq(1),
        ]
        accepted = access.request.valid & access.request.ready
        m.d.sync += coming.eq(coming + Mux(accepted & ~writing, burst, 0) - access.read.valid)

        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.moving.eq(0)
                m.d.sync += [
                    address.eq(self.address),
                    asked.eq(beats),
                    left.eq(beats),
                    final_keep.eq(Mux(rest == 0, (1 << beat) - 1, (1 << rest) - 1)),
                    requested.eq(0),
                    writing.eq(self.write),
                ]
                with m.If(self.start):
                    with m.If(self.write):
                        m.next = "write"
                    with m.Else():
                        m.next = "read"
            with m.State("write"):
                m.d.comb += [
                    requesting.eq(~requested),
                    access.write.valid.eq(incoming.valid),
                    access.write.payload.mask.eq(incoming.payload.keep & keep),
                    incoming.ready.eq(access.write.ready),
                ]
                with m.If(accepted):
                    m.d.sync += requested.eq(1)
                with m.If(incoming.valid & incoming.ready):
                    m.d.sync += left.eq(left - 1)
                    m.d.comb += self.fault.eq(incoming.payload.last != final)
                    with m.If(final & incoming.payload.last):
                        m.next = "idle"
                    with m.Elif(final):
                        m.next = "drain"
                    with m.Elif(incoming.payload.last):
                        m.next = "fill"
            with m.State("fill"):
                m.d.comb += access.write.valid.eq(1)
                with m.If(access.write.ready):
                    m.d.sync += left.eq(left - 1)
                    with m.If(final):
                        m.next = "idle"
            with m.State("drain"):
                m.d.comb += incoming.ready.eq(1)
                with m.If(incoming.valid & incoming.payload.last):
                    m.next = "idle"
            with m.State("read"):
                m.d.comb += [
                    requesting.eq((asked != 0) & (queue.level + coming <= ROOM - BURST)),
                    outgoing.valid.eq(queue.r_rdy),
                    queue.r_en.eq(outgoing.valid & outgoing.ready),
                ]
                with m.If(accepted):
                    m.d.sync += [asked.eq(asked - burst), address.eq(address + (burst << shift))]
                with m.If(queue.r_en):
                    m.d.sync += left.eq(left - 1)
                    with m.If(final):
                        m.next = "idle"
        return m
