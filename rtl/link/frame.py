"""Frames in and out of a system: what has not passed its CRC is never shown to anybody."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, Signature

from ...models.link.frame import CRC_BYTES, ESCAPE, FLAG, FLIP, HEADER_BYTES, LARGEST_BODY, ONES, RESIDUE
from .crc import crc_step
from .uart import OctetSignature

PLACES = LARGEST_BODY + CRC_BYTES


class BodySignature(Signature):
    """The body of a sound frame, as its reader sees it.

    Members
    -------
    valid : in; there is one. It stays until it is taken.
    length : in; its bytes.
    take : out, for one cycle in which `valid`; the reader is done with it.
    address : out; `data`: in, the byte at the address of the cycle before.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "valid": In(1),
                "length": In(range(PLACES)),
                "take": Out(1),
                "address": Out(range(PLACES)),
                "data": In(8),
            }
        )


class FrameReceiver(wiring.Component):
    """Finds sound frames among octets, and holds one until it is taken; frames that come meanwhile are lost.

    Equal to `models.link.frame.Receiver(HEADER_BYTES)` as long as every body is taken before the next octet.

    Ports
    -----
    octets : in, `OctetSignature`.
    body : `BodySignature`.
    """

    def __init__(self) -> None:
        super().__init__({"octets": In(OctetSignature()), "body": In(BodySignature())})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.buffer = buffer = Memory(shape=8, depth=PLACES, init=[])
        write, read = buffer.write_port(), buffer.read_port()
        octet = self.octets.data
        count = Signal(range(PLACES + 1))
        register = Signal(32)
        sound, escaped = Signal(), Signal()
        value = Mux(escaped, octet ^ FLIP, octet)
        m.d.comb += [
            write.addr.eq(count),
            write.data.eq(value),
            read.addr.eq(self.body.address),
            self.body.data.eq(read.data),
        ]

        with m.If(self.body.take):
            m.d.sync += self.body.valid.eq(0)
        with m.If(self.octets.valid):
            with m.If(octet == FLAG):
                whole = sound & ~escaped & (count >= HEADER_BYTES + CRC_BYTES) & (register == RESIDUE)
                with m.If(whole & ~self.body.valid):
                    m.d.sync += [self.body.valid.eq(1), self.body.length.eq(count - CRC_BYTES)]
                m.d.sync += [count.eq(0), register.eq(ONES), sound.eq(1), escaped.eq(0)]
            with m.Elif(self.body.valid):
                m.d.sync += sound.eq(0)
            with m.Elif((octet == ESCAPE) & ~escaped):
                m.d.sync += escaped.eq(1)
            with m.Elif(count == PLACES):
                m.d.sync += sound.eq(0)
            with m.Else():
                m.d.comb += write.en.eq(1)
                m.d.sync += [count.eq(count + 1), register.eq(crc_step(register, value)), escaped.eq(0)]
        with m.If(self.octets.damaged):
            m.d.sync += sound.eq(0)
        return m


class FrameSender(wiring.Component):
    """Sends bodies as frames.

    Ports
    -----
    body : in, stream of `octet` and `last`, which marks the body's last octet. It may pause within a body.
    octets : out, stream of 8 bits.
    """

    def __init__(self) -> None:
        body = data.StructLayout({"octet": 8, "last": 1})
        super().__init__({"body": In(stream.Signature(body)), "octets": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        register, octet = Signal(32), Signal(8)
        escaped = Signal()  # the escape before this octet is gone
        left = Signal(range(CRC_BYTES + 1))
        special = (octet == FLAG) | (octet == ESCAPE)
        offered, done = Signal(), Signal()
        m.d.comb += done.eq(offered & self.octets.ready & (escaped | ~special))
        with m.If(offered):
            m.d.comb += [
                self.octets.valid.eq(1),
                self.octets.payload.eq(Mux(escaped, octet ^ FLIP, Mux(special, ESCAPE, octet))),
            ]
            with m.If(self.octets.ready):
                m.d.sync += escaped.eq(special & ~escaped)

        with m.FSM():
            with m.State("idle"):
                m.d.comb += [self.octets.valid.eq(self.body.valid), self.octets.payload.eq(FLAG)]
                m.d.sync += [register.eq(ONES), left.eq(CRC_BYTES)]
                with m.If(self.body.valid & self.octets.ready):
                    m.next = "body"
            with m.State("body"):
                m.d.comb += [
                    octet.eq(self.body.payload.octet),
                    offered.eq(self.body.valid),
                    self.body.ready.eq(done),
                ]
                with m.If(done):
                    m.d.sync += register.eq(crc_step(register, octet))
                    with m.If(self.body.payload.last):
                        m.next = "crc"
            with m.State("crc"):
                m.d.comb += [octet.eq(~register[:8]), offered.eq(left != 0)]
                with m.If(done):
                    m.d.sync += [register.eq(register >> 8), left.eq(left - 1)]
                with m.If(left == 0):
                    m.d.comb += [self.octets.valid.eq(1), self.octets.payload.eq(FLAG)]
                    with m.If(self.octets.ready):
                        m.next = "idle"
        return m
