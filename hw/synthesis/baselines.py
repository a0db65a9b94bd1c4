"""Multiply-accumulate circuits that areas are compared with, and what others measured for them.

All have registers at their inputs, registers with a synchronous reset as every register of ours that says nothing else,
and start a new sum by leaving the old one out.
"""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...rtl.pe.mixpe import terms


class MultiplyAccumulate(wiring.Component):
    """Multiplies an int8 by a signed weight each cycle and sums.

    Parameters
    ----------
    weight_bits : width of the weight.
    accumulator_bits : width of the sum, which wraps.
    booth : whether 4-bit weights are recoded and activations shifted and added, as in a cell of MixPE; else the
        product is left to synthesis.

    Ports
    -----
    activation : in, signed 8.
    weight : in, signed `weight_bits`.
    first : in, 1; the product starts a new sum.
    accumulator : out, signed `accumulator_bits`, two cycles later.
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
        inputs = (self.activation, self.weight, self.first)
        activation, weight, first = held = [Signal.like(port, name=f"{port.name}_held") for port in inputs]
        m.d.sync += [register.eq(port) for register, port in zip(held, inputs, strict=True)]
        # A product of its own, wider than it need be for the recoded one, is what keeps Yosys from one wide sum of
        # all partial products with their signs extended to the accumulator's width, which is a fifth larger.
        product = Signal(signed(9 + len(weight) if self._booth else 8 + len(weight)))
        if self._booth:
            m.d.comb += product.eq(sum(terms(activation, weight.as_unsigned(), Const(1))))
        else:
            m.d.comb += product.eq(activation * weight)
        m.d.sync += self.accumulator.eq(Mux(first, product, self.accumulator + product))
        return m


# Constructor arguments, and area in um2 in sky130_fd_sc_hd with Yosys 0.70 for a clock period of 4 ns.
SKY130_UM2 = {
    (8, 32, False): 4955,
    (4, 32, False): 3521,
    (4, 20, False): 2649,
    (4, 32, True): 3144,
    (4, 20, True): 2314,
}
