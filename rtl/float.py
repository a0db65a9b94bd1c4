"""float32 addition, exact up to one rounding to nearest even."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .rounding import FP32, Round, shift_right


def unpack(bits: Value, precision: int = 24, bias: int = 127) -> tuple[Value, Value]:
    """Return the significand and the exponent of its last bit of a finite IEEE number without regard to its sign."""
    fraction, field = bits[: precision - 1], bits[precision - 1 : -1]
    return Cat(fraction, field.any()), Mux(field.any(), field, 1) - (bias + precision - 1)


class Add(wiring.Component):
    """Adds two finite float32 numbers as IEEE 754 does, with `latency` cycles and interval 1; an exact 0 is +0.

    Ports
    -----
    a, b : in, 32.
    sum : out, 32, `latency` cycles later.
    """

    latency = 2 + Round.latency

    def __init__(self) -> None:
        super().__init__({"a": In(32), "b": In(32), "sum": Out(32)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.round = round = Round(28)
        large = Signal(32)
        small = Signal(32)
        distance = Signal(8)
        swap = self.a[:31] < self.b[:31]
        (_, a_exponent), (_, b_exponent) = unpack(self.a), unpack(self.b)
        m.d.sync += Cat(large, small).eq(Mux(swap, Cat(self.b, self.a), Cat(self.a, self.b)))
        m.d.sync += distance.eq(Mux(swap, b_exponent - a_exponent, a_exponent - b_exponent))

        # Three more bits below the significands make a difference, too, round right: half, a guard and the sticky bit.
        (significand, exponent), (addend, _) = unpack(large), unpack(small)
        amount = Signal(5)
        m.d.comb += amount.eq(Mux(distance < 32, distance, 31))
        aligned = shift_right(m, Cat(0, 0, 0, addend), amount)
        total = Signal(28)
        m.d.comb += total.eq((significand << 3) + Mux(large[-1] ^ small[-1], -aligned, aligned))
        m.d.sync += [
            round.sign.eq(large[-1] & total.any()),
            round.magnitude.eq(total),
            round.exponent.eq(exponent - 3),
        ]
        m.d.comb += [round.format.eq(FP32), self.sum.eq(round.value)]
        return m
