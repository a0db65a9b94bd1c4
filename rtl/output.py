"""The output stage as a circuit: ReLU, times b / 2^c, one rounding. Its arithmetic is `dyad.models.pe.output`."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out

from ..models.pe import PE
from ..models.pe.output import FORMATS, LATENCY
from .float import unpack
from .posit import posit_of
from .rounding import Round, delay


def posits(pe: PE) -> tuple[str, ...]:
    """Return the posits among the results of a processing element."""
    return tuple(name for name in pe.outputs if name not in FORMATS)


def output(pe: PE) -> wiring.Component:
    """Return the output stage of one column of a processing element's results."""
    return IntegerOutput() if pe.outputs == FORMATS[:1] else Output(posits(pe))


def ports(posits: tuple[str, ...]) -> dict[str, Member]:
    """Return the ports of an output stage."""
    return {
        "accumulator": In(32),
        "floating": In(1),
        "relu": In(1),
        "multiplier": In(16),
        "shift": In(6),
        "format": In(3 if posits else 2),
        "value": Out(32),
    }


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
        super().__init__(ports(posits))

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


class IntegerOutput(wiring.Component):
    """The output stage where accumulators are int32 and results int8, with `latency` cycles and interval 1.

    Ports
    -----
    those of `Output` without posits; `floating` and `format` have to be 0.
    """

    latency = LATENCY

    def __init__(self) -> None:
        super().__init__(ports(()))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        negative = self.accumulator[-1]
        accumulator, multiplier = Signal(32, reset_less=True), Signal(16, reset_less=True)
        product = Signal(signed(48), reset_less=True)
        # The product without regard to the sign is 2^32 multiples too large if there is one.
        excess = Mux(accumulator[-1], multiplier, 0) << 32
        m.d.sync += [
            accumulator.eq(self.accumulator),
            multiplier.eq(Mux(self.relu & negative, 0, self.multiplier)),
            product.eq(accumulator * multiplier - excess),
        ]
        value = Signal(8, reset_less=True)
        m.d.sync += value.eq(shift_to_int8(m, product, delay(m, self.shift, 2)))
        m.d.comb += self.value.eq(delay(m, value, self.latency - 3))
        return m


def shift_to_int8(m: Module, number: Signal, places: Value) -> Value:
    """Return `number / 2^places` for a signed number, rounded to nearest even; int8 saturates.

    Bits that can no longer reach the result are dropped before each shift is made, which keeps shifters narrow.
    """
    sign = number[-1]
    word: Value = Cat(0, number)  # with a half below
    sticky: Value = Const(0, 1)
    beyond: Value = Const(0, 1)  # what is dropped above differs from the sign: the result is out of range
    for bit in reversed(range(len(places))):
        step, kept = 1 << bit, 8 + (1 << bit)
        lost, shifted = Signal(name=f"lost_{step}"), Signal(kept, name=f"shifted_{step}")
        whole = Mux(places[bit], Cat(word[step:], sign.replicate(step)), word)
        m.d.comb += [
            shifted.eq(whole),
            lost.eq(places[bit] & word[:step].any()),
        ]
        beyond |= (whole[kept:] ^ sign.replicate(len(word) - kept)).any()
        sticky |= lost
        word = shifted
    half, integer = word[0], word[1:]
    rounded = Signal(8)
    m.d.comb += rounded.eq(integer + (half & (sticky | integer[0])))
    beyond |= (integer[-1] ^ sign) | (rounded[-1] & ~sign)
    return Mux(beyond, Cat((~sign).replicate(7), sign), rounded)
