"""The output stage as a circuit: ReLU, times b / 2^c, one rounding. Its arithmetic is `dyad.models.pe.output`."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..models.pe import PE
from ..models.pe.output import FORMATS
from .float import unpack
from .posit import posit_of
from .rounding import Round, delay


def posits(pe: PE) -> tuple[str, ...]:
    """Return the posits among the results of a processing element."""
    return tuple(name for name in pe.outputs if name not in FORMATS)


class Output(wiring.Component):
    """Rescales the accumulators of one column, with `latency` cycles and interval 1.

    Parameters
    ----------
    posits : output formats beside int8, fp16 and fp32: the first few of `POSITS`.

    Ports
    -----
    accumulator : in, 32; the bits of an int32, of a finite float32 or, if there are posits, of a NaN.
    floating : in, 1; whether it is a float32.
    relu : in, 1; whether a negative accumulator becomes +0.
    multiplier : in, 16; b.
    shift : in, 6; c.
    format : in, 2, or 3 with posits; code of the output format, as in `rounding`.
    value : out, 32, `latency` cycles later; the code of the result in its low 8, 16 or 32 bits, zeros above.
    """

    latency = 2 + Round.latency

    def __init__(self, posits: tuple[str, ...] = ()) -> None:
        self._posits = tuple(posit_of(name) for name in posits)
        super().__init__(
            {
                "accumulator": In(32),
                "floating": In(1),
                "relu": In(1),
                "multiplier": In(16),
                "shift": In(6),
                "format": In(3 if posits else 2),
                "value": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.round = round = Round(48, self._posits)
        negative = self.accumulator[-1]
        significand, exponent = unpack(self.accumulator)
        magnitude = Mux(negative, -self.accumulator, self.accumulator)[:32]

        decoded = Signal(32)
        multiplier = Signal(16)
        m.d.sync += [
            decoded.eq(Mux(self.relu & negative, 0, Mux(self.floating, significand, magnitude))),
            multiplier.eq(self.multiplier),
            round.magnitude.eq(decoded * multiplier),
        ]
        exponent = Mux(self.floating, exponent, 0) - self.shift
        m.d.comb += [
            round.sign.eq(delay(m, negative & ~self.relu, 2)),
            round.exponent.eq(delay(m, exponent, 2)),
            round.format.eq(delay(m, self.format, 2)),
            self.value.eq(round.value),
        ]
        if self._posits:
            m.d.comb += round.nan.eq(delay(m, self.floating & self.accumulator[23:31].all(), 2))
        return m
