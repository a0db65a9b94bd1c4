"""Decoders and the rounding unit between wide words: the designs with which posit circuits are tested."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from dyad.models.formats import scalar
from dyad.models.pe.output import FORMATS, POSITS
from dyad.rtl.decode import decode
from dyad.rtl.output import Output

FIELDS = {"accumulator": 32, "multiplier": 16, "shift": 6, "format": 3, "floating": 1, "relu": 1}
"""Of the stimulus of `Rescaler`, from bit 0 on."""


DECODED = {"posit(4,1)": 2, "posit(8,0)": 6, "posit(16,1)": 13, "posit(8,1)": 5, "posit(5,2)": 3, "e2m1": 2}
"""Formats that `Decoders` decodes, and the bits of their significands."""


class Decoders(Component):
    """Decode a code of each format, one clock cycle later.

    Ports: ``stimulus``, in, 16, the code in its low bits; ``seen``, out, 32 for each format: significand in bits 15..0,
    exponent in 23..16, sign in 24, nar in 25.
    """

    def __init__(self) -> None:
        super().__init__({"stimulus": In(16), "seen": Out(32 * len(DECODED))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for index, (name, precision) in enumerate(DECODED.items()):
            number = decode(m, self.stimulus[: scalar(name).bits], name, precision)
            significand, exponent = Signal(16), Signal(8)
            m.d.comb += [significand.eq(number.significand), exponent.eq(number.exponent)]
            fields = Cat(significand, exponent, number.sign, number.nar)
            m.d.sync += self.seen.word_select(index, 32).eq(fields)
        return m


class Rescaler(Component):
    """The output stage with all formats.

    Ports: ``stimulus``, in, the fields of `FIELDS`; ``seen``, out, 32, the value.
    """

    def __init__(self) -> None:
        super().__init__({"stimulus": In(sum(FIELDS.values())), "seen": Out(32)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.output = output = Output(POSITS)
        low = 0
        for name, bits in FIELDS.items():
            m.d.comb += getattr(output, name).eq(self.stimulus[low : low + bits])
            low += bits
        m.d.comb += self.seen.eq(output.value)
        return m


ALL = (*FORMATS, *POSITS)
"""Output formats in the order of their codes."""
