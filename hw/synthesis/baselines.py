"""Multiply-accumulate circuits that others are compared with, and what these came to elsewhere."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class MultiplyAccumulate(wiring.Component):
    """Multiplies an int8 by a signed weight each cycle and sums, in two stages behind registered inputs.

    Parameters
    ----------
    weight_bits : width of the weight.
    accumulator_bits : width of the sum, which wraps.
    booth : whether 4-bit weights are recoded and activations shifted and added; else the product is left to synthesis.

    Ports
    -----
    activation : in, signed 8.
    weight : in, signed `weight_bits`.
    first : in, 1; the product starts a new sum.
    accumulator : out, signed `accumulator_bits`, three cycles later.
    """

    def __init__(self, weight_bits: int, accumulator_bits: int, booth: bool = False) -> None:
        self._booth = booth
        super().__init__(
            {
                "activation": In(signed(8)),
                "weight": In(signed(weight_bits)),
                "first": In(1),
                "accumulator": Out(signed(accumulator_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Numbers need no reset: the first product of a sum leaves out what was there before.
        activation = Signal.like(self.activation, reset_less=True)
        weight = Signal.like(self.weight, reset_less=True)
        product = Signal(signed(8 + len(weight)), reset_less=True)
        accumulator = Signal.like(self.accumulator, reset_less=True)
        first, starts = Signal(), Signal()
        if self._booth:
            m.d.sync += product.eq(sum(booth(activation, weight.as_unsigned())))
        else:
            m.d.sync += product.eq(activation * weight)
        m.d.sync += [
            activation.eq(self.activation),
            weight.eq(self.weight),
            first.eq(self.first),
            starts.eq(first),
            accumulator.eq(Mux(starts, 0, accumulator) + product),
        ]
        m.d.comb += self.accumulator.eq(accumulator)
        return m


def booth(a: Value, weight: Value) -> list[Value]:
    """Return numbers that sum to `a * weight`: a radix-4 Booth digit of -2..2 for each two bits of a signed weight."""
    products: list[Value] = []
    below: Value | int = 0
    for low, high in ((0, 1), (2, 3)):
        one = weight[low] ^ below
        two = Mux(weight[high], ~(weight[low] | below), weight[low] & below)
        multiple = Mux(one, a, Mux(two, a << 1, 0))
        products.append((multiple ^ weight[high].as_signed()) << low)
        below = weight[high]
    # A negative multiple is its complement plus 1; the ones of both digits make one more term.
    return [*products, Cat(weight[1], 0, weight[3])]


# By the constructor's arguments: area in um2 in sky130_fd_sc_hd, from Yosys 0.70 and a clock period of 4 ns.
SKY130_UM2 = {
    (8, 32, False): 4955,
    (4, 32, False): 3521,
    (4, 20, False): 2649,
    (4, 32, True): 3144,
    (4, 20, True): 2314,
}

# The same on a Lattice ECP5-85 without its multipliers: LUTs, flip-flops, MHz.
ECP5 = {
    (8, 32, False): (367, 66, 128),
    (4, 32, False): (213, 58, 159),
    (4, 20, False): (189, 46, 160),
    (4, 32, True): (150, 58, 198),
    (4, 20, True): (119, 46, 198),
}
