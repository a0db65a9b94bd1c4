"""Scratchpads: banks of words that are written beat by beat and read word by word."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import exact_log2


class ScratchpadWrite(Signature):
    """A beat on its way into a scratchpad, as the scratchpad sees it.

    Members
    -------
    enable : in; the beat is written at the end of this cycle.
    bank : in; which bank.
    address : in; the beat's place in the bank, counted in beats.
    data : in; the beat.
    mask : in; a bit for each of its bytes that is written.
    """

    def __init__(self, beat: int) -> None:
        super().__init__({"enable": In(1), "bank": In(12), "address": In(24), "data": In(8 * beat), "mask": In(beat)})


class Scratchpad(wiring.Component):
    """A buffer of `banks` banks of `depth` words of `width` bytes each.

    Parameters
    ----------
    banks, width, depth : see above.
    beat : bytes of a beat; it divides `width`.
    readers : number of read ports.

    Ports
    -----
    write : `ScratchpadWrite`.
    read : one for each reader: `enable` in, `address` in (a word); `data` out, [banks] words, in the next cycle. Data
        keep their value until the cycle after the next `enable`. A word that is written while it is read gives its
        value from before.
    """

    def __init__(self, banks: int, width: int, depth: int, beat: int, readers: int = 1) -> None:
        self._banks, self._width, self._depth, self._beat = banks, width, depth, beat
        reader = Signature(
            {"enable": In(1), "address": In(range(depth)), "data": Out(data.ArrayLayout(unsigned(8 * width), banks))}
        )
        super().__init__({"write": Out(ScratchpadWrite(beat)), "read": Out(reader).array(readers)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes = self._width // self._beat
        lane_bits = exact_log2(lanes)
        enables = Signal(self._width)
        m.d.comb += enables.eq(self.write.mask << self.write.address[:lane_bits] * self._beat)
        for bank in range(self._banks):
            m.submodules[f"bank_{bank}"] = memory = Memory(shape=8 * self._width, depth=self._depth, init=[])
            port = memory.write_port(granularity=8)
            with m.If(self.write.enable & (self.write.bank == bank)):
                m.d.comb += port.en.eq(enables)
            m.d.comb += [port.addr.eq(self.write.address[lane_bits:]), port.data.eq(self.write.data.replicate(lanes))]
            for reader in self.read:
                read = memory.read_port()
                m.d.comb += [
                    read.en.eq(reader.enable),
                    read.addr.eq(reader.address),
                    reader.data[bank].eq(read.data),
                ]
        return m
