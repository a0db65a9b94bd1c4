"""The store unit: strided runs of bytes from the output buffer to memory."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import exact_log2

from ..models.program.isa import Store
from .layouts import REQUEST, UnitSignature

AHEAD = 4
"""Beats read ahead: enough to give one every cycle, since a beat takes three cycles from its read to its use."""


class StoreUnit(wiring.Component):
    """Executes `store`: reads the output buffer ahead of the memory and asks for a burst for each run.

    Parameters
    ----------
    banks : banks of the output buffer.
    width : bytes of its words.
    depth : words of a bank.
    beat : bytes of a beat; it divides `width`. Runs start at a multiple of it in the output buffer.
    widths : as in `LoadUnit`.

    Ports
    -----
    unit : `UnitSignature`. Offers its first request, with its first beat, in the second cycle after `start`, and from
        then on a beat in every cycle; `done` when the last beat is taken.
    request, last : as in `LoadUnit`.
    write : out, stream of the beats; `mask` leaves out the bytes after the end of a run.
    read : read port of the output buffer: `enable`, `address` out, `data` in, [banks] words, one cycle later.
    """

    def __init__(self, banks: int, width: int, depth: int, beat: int, widths: Mapping[str, int] | None = None) -> None:
        self._banks, self._width, self._beat = banks, width, beat
        beats = data.StructLayout({"data": 8 * beat, "mask": beat})
        word = data.ArrayLayout(unsigned(8 * width), banks)
        super().__init__(
            {
                "unit": Out(UnitSignature(Store, widths)),
                "request": Out(stream.Signature(REQUEST)),
                "last": Out(1),
                "write": Out(stream.Signature(beats)),
                "read": Out(Signature({"enable": Out(1), "address": Out(range(depth)), "data": In(word)})),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command, beat = self.unit.command, self._beat
        shift, lane_bits = exact_log2(beat), exact_log2(self._width // beat)

        requests = Signal.like(command.rows)
        address = Signal(40)
        primed = Signal()  # the first beat is being read while the first request waits for it
        m.d.sync += primed.eq(requests != 0)
        m.d.comb += [
            self.request.valid.eq((requests != 0) & primed),
            self.request.payload.address.eq(address),
            self.request.payload.beats.eq((command.length + (beat - 1)) >> shift),
            self.request.payload.write.eq(1),
            self.last.eq(requests == 1),
        ]
        with m.If(self.request.valid & self.request.ready):
            m.d.sync += [requests.eq(requests - 1), address.eq(address + command.stride)]

        # Reading: one beat a cycle as long as it will find room in the queue.
        m.submodules.queue = queue = SyncFIFO(width=9 * beat, depth=AHEAD)
        rows, left, bank = Signal.like(command.rows), Signal.like(command.length), Signal.like(command.bank)
        run, place = Signal.like(command.offset), Signal.like(command.offset)
        reading = Signal()
        arriving = Signal()
        m.d.comb += [
            reading.eq((rows != 0) & (queue.level + arriving < AHEAD)),
            self.read.enable.eq(reading),
            self.read.address.eq(place >> lane_bits),
        ]
        with m.If(reading):
            m.d.sync += [left.eq(left - beat), place.eq(place + 1)]
            with m.If(left <= beat):
                wrap = bank + 1 == self._banks
                following = Mux(wrap, run + (command.pitch >> shift), run)
                m.d.sync += [
                    rows.eq(rows - 1),
                    left.eq(command.length),
                    bank.eq(Mux(wrap, 0, bank + 1)),
                    run.eq(following),
                    place.eq(following),
                ]

        lane, source, bytes_left = Signal(max(lane_bits, 1)), Signal.like(bank), Signal.like(left)
        final = Signal()
        m.d.sync += [
            arriving.eq(reading),
            lane.eq(place[:lane_bits]),
            source.eq(bank),
            bytes_left.eq(left),
        ]
        arrived = data.View(self.write.payload.shape(), queue.w_data)
        m.d.comb += [
            arrived.data.eq(self.read.data[source].word_select(lane, 8 * beat)),
            queue.w_en.eq(arriving),
            self.write.valid.eq(queue.r_rdy),
            self.write.payload.eq(queue.r_data),
            queue.r_en.eq(self.write.ready & self.write.valid),
        ]
        for byte in range(beat):
            m.d.comb += arrived.mask[byte].eq(byte < bytes_left)

        taken = Signal(len(command.rows) + len(command.length))  # beats of the instruction that memory has yet to take
        m.d.comb += [
            final.eq(taken == 1),
            self.unit.done.eq(final & self.write.valid & self.write.ready),
        ]
        with m.If(self.write.valid & self.write.ready):
            m.d.sync += taken.eq(taken - 1)
        with m.If(self.unit.start):
            m.d.sync += [
                requests.eq(command.rows),
                address.eq(command.address),
                rows.eq(command.rows),
                left.eq(command.length),
                bank.eq(command.bank),
                run.eq(command.offset >> shift),
                place.eq(command.offset >> shift),
                taken.eq(command.rows * ((command.length + (beat - 1)) >> shift)),
            ]
        return m
