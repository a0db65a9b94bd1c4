"""The load unit: strided runs of bytes from memory into a scratchpad."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import exact_log2

from ..models.program.isa import BUFFERS, Load
from .layouts import REQUEST, UnitSignature
from .scratchpad import ScratchpadWrite


class LoadUnit(wiring.Component):
    """Executes `load`: asks for a burst for each run, and writes what comes back where it belongs.

    Bytes of memory and of a scratchpad need not be aligned to one another: a burst starts as many bytes before its run
    as the run starts after a beat boundary of the scratchpad, and the mask keeps the bytes before the run from being
    written. Those after it, in its last beat, become 0.

    Parameters
    ----------
    banks : banks of each scratchpad, in the order of `BUFFERS`.
    beat : bytes of a beat.
    widths : bits of the fields of its instructions; those of the binary form when left out.

    Ports
    -----
    unit : `UnitSignature`. Starts its first request in the cycle after `start`; `done` with the last beat.
    request : out, stream of `REQUEST`; the requests of one instruction follow one another without a gap.
    last : out; the request on offer is the last of its instruction.
    read : in; `valid` and `data` of each beat, in the order of the requests.
    write : out, one for each scratchpad, `ScratchpadWrite`.
    """

    def __init__(self, banks: tuple[int, ...], beat: int, widths: Mapping[str, int] | None = None) -> None:
        self._banks, self._beat = banks, beat
        super().__init__(
            {
                "unit": Out(UnitSignature(Load, widths)),
                "request": Out(stream.Signature(REQUEST)),
                "last": Out(1),
                "read": In(Signature({"valid": Out(1), "data": Out(8 * beat)})),
                "write": In(ScratchpadWrite(beat)).array(len(BUFFERS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command, beat = self.unit.command, self._beat
        shift = exact_log2(beat)
        skip = command.offset[:shift]  # bytes of a run's first beat that lie before the run
        span = Signal(len(command.length) + 1)  # bytes from the first beat's start to the run's end
        m.d.comb += span.eq(command.length + skip)

        requests = Signal.like(command.rows)
        address = Signal(40)
        m.d.comb += [
            self.request.valid.eq(requests != 0),
            self.request.payload.address.eq(address),
            self.request.payload.beats.eq((span + (beat - 1)) >> shift),
            self.last.eq(requests == 1),
        ]
        with m.If(self.request.valid & self.request.ready):
            m.d.sync += [requests.eq(requests - 1), address.eq(address + command.stride)]

        rows, bank = Signal.like(command.rows), Signal.like(command.bank)
        left = Signal.like(span)  # bytes of the span that are still to come
        first = Signal()
        # In beats: where this run starts, where this beat goes.
        run, place = Signal.like(command.offset), Signal.like(command.offset)
        final = left <= beat
        banks = Signal(12)
        with m.Switch(command.buffer):
            for index, count in enumerate(self._banks):
                with m.Case(index):
                    m.d.comb += [banks.eq(count), self.write[index].enable.eq(self.read.valid)]
        # What follows a run in its last beat becomes 0: nothing, or the place of the run that is loaded next.
        mask, filled = Signal(beat), Signal(8 * beat)
        for byte in range(beat):
            m.d.comb += mask[byte].eq(~(first & (byte < skip)))
            m.d.comb += filled.word_select(byte, 8).eq(Mux(byte < left, self.read.data.word_select(byte, 8), 0))
        for write in self.write:
            m.d.comb += [
                write.bank.eq(bank),
                write.address.eq(place),
                write.data.eq(filled),
                write.mask.eq(mask),
            ]
        with m.If(self.read.valid):
            m.d.sync += [left.eq(left - beat), first.eq(0), place.eq(place + 1)]
            with m.If(final):
                wrap = bank + 1 == banks
                following = Mux(wrap, run + (command.pitch >> shift), run)
                m.d.sync += [
                    rows.eq(rows - 1),
                    left.eq(span),
                    first.eq(1),
                    bank.eq(Mux(wrap, 0, bank + 1)),
                    run.eq(following),
                    place.eq(following),
                ]
                m.d.comb += self.unit.done.eq(rows == 1)
        with m.If(self.unit.start):
            m.d.sync += [
                requests.eq(command.rows),
                address.eq(command.address - skip),
                rows.eq(command.rows),
                bank.eq(command.bank),
                left.eq(span),
                first.eq(1),
                run.eq(command.offset >> shift),
                place.eq(command.offset >> shift),
            ]
        return m
