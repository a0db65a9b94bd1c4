"""A serial line's two ends, 8N1: a start bit of 0, eight bits from the lowest on, a stop bit of 1."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out, Signature

LEAST_DIVISOR = 4
"""Cycles of the shortest bit in which three samples and their vote fit around its middle."""


def _check(divisor: int) -> None:
    if divisor < LEAST_DIVISOR:
        raise ValueError(f"divisor = {divisor}: a bit takes at least {LEAST_DIVISOR} cycles")


class OctetSignature(Signature):
    """Octets from a line, which nobody can hold back, as their source sees them.

    Members
    -------
    valid : out; for one cycle for each octet.
    data : out.
    damaged : out, for one cycle; something arrived that is no octet.
    """

    def __init__(self) -> None:
        super().__init__({"valid": Out(1), "data": Out(8), "damaged": Out(1)})


class UartReceiver(wiring.Component):
    """Receives: samples each bit three times around its middle, and takes what two of them say.

    A start bit that has gone by its middle is none. Where the stop bit is 0 the octet is damaged, and the next one
    starts after the line has been 1 again.

    Parameters
    ----------
    divisor : cycles of a bit, at least `LEAST_DIVISOR`.

    Ports
    -----
    rx : in; the line, from another clock.
    octets : `OctetSignature`.
    """

    def __init__(self, divisor: int) -> None:
        _check(divisor)
        self._divisor = divisor
        super().__init__({"rx": In(1, init=1), "octets": Out(OctetSignature())})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        line, before = Signal(init=1), Signal(2, init=3)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        m.d.sync += before.eq(Cat(line, before))
        vote = (line & before[0]) | (line & before[1]) | (before[0] & before[1])

        timer = Signal(range(self._divisor))
        left = Signal(4)  # bits that are still to come, the stop bit included
        shifted = Signal(8)
        m.d.sync += [timer.eq(timer - 1), self.octets.valid.eq(0), self.octets.damaged.eq(0)]
        m.d.comb += self.octets.data.eq(shifted)
        with m.FSM():
            with m.State("idle"):
                # The middle of the start bit is voted on when the sample after it is there.
                m.d.sync += [timer.eq((self._divisor + 1) // 2 - 1), left.eq(9)]
                with m.If(~line):
                    m.next = "start"
            with m.State("start"), m.If(timer == 0):
                m.d.sync += timer.eq(self._divisor - 1)
                with m.If(vote):
                    m.next = "idle"
                with m.Else():
                    m.next = "bits"
            with m.State("bits"), m.If(timer == 0):
                m.d.sync += [timer.eq(self._divisor - 1), left.eq(left - 1)]
                with m.If(left != 1):
                    m.d.sync += shifted.eq(Cat(shifted[1:], vote))
                with m.Elif(vote):
                    m.d.sync += self.octets.valid.eq(1)
                    m.next = "idle"
                with m.Else():
                    m.d.sync += self.octets.damaged.eq(1)
                    m.next = "break"
            with m.State("break"), m.If(vote & line):
                m.next = "idle"
        return m


class UartTransmitter(wiring.Component):
    """Sends.

    Parameters
    ----------
    divisor : cycles of a bit.

    Ports
    -----
    octets : in, stream of 8 bits; ready while nothing is being sent.
    tx : out; the line, from a register.
    """

    def __init__(self, divisor: int) -> None:
        _check(divisor)
        self._divisor = divisor
        super().__init__({"octets": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = Signal(10, init=0x3FF)
        left, timer = Signal(range(11)), Signal(range(self._divisor))
        m.d.comb += [self.octets.ready.eq(left == 0), self.tx.eq(bits[0])]
        with m.If(self.octets.valid & self.octets.ready):
            m.d.sync += [bits.eq(Cat(0, self.octets.payload, 1)), left.eq(10), timer.eq(self._divisor - 1)]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(left != 0):
            m.d.sync += [bits.eq(Cat(bits[1:], 1)), left.eq(left - 1), timer.eq(self._divisor - 1)]
        return m
