"""Multiply-accumulate circuits in one frame, others' and ours: two stages behind registered inputs.

`dyad.hw.synthesis.rivals` holds what the others came to elsewhere.
"""

from __future__ import annotations

from typing import Literal

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...models.pe import Lut
from ...rtl.pe import lut, mixpe, ternary
from ...rtl.pe.sums import Term, add_up

Recoding = Literal["operator", "booth", "digits", "ternary"]


class MultiplyAccumulate(wiring.Component):
    """Multiplies int8 activations by weights each cycle and sums, in two stages behind registered inputs.

    Parameters
    ----------
    weight_bits : width of a weight.
    accumulator_bits : width of the sum, which wraps.
    recoding : how 4-bit weights are multiplied: ``booth`` recodes them and adds shifted activations, ``digits`` are
        those of MixPE, of weights less 10 and with the offset of its cells in every cycle, ``ternary`` takes 2-bit
        weights as that processing element does. An ``operator`` leaves products to synthesis, for any weights.
    lanes : products that are summed in a cycle.

    Ports
    -----
    activation : in, lanes of signed 8.
    weight : in, lanes of signed `weight_bits`.
    first : in, 1; the products start a new sum.
    accumulator : out, signed `accumulator_bits`, three cycles later.
    """

    def __init__(
        self, weight_bits: int, accumulator_bits: int, recoding: Recoding = "operator", lanes: int = 1
    ) -> None:
        self._weight_bits, self._recoding, self._lanes = weight_bits, recoding, lanes
        super().__init__(
            {
                "activation": In(8 * lanes),
                "weight": In(weight_bits * lanes),
                "first": In(1),
                "accumulator": Out(signed(accumulator_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Numbers need no reset: the first product of a sum leaves out what was there before.
        activations = Signal.like(self.activation, reset_less="booth")
        weights = Signal.like(self.weight, reset_less="booth")
        m.d.sync += [activations.eq(self.activation), weights.eq(self.weight)]
        terms: list[Term] = []
        products: list[Value] = []
        for lane in range(self._lanes):
            activation = activations.word_select(lane, 8).as_signed()
            weight = weights.word_select(lane, self._weight_bits)
            if self._recoding == "digits":
                terms += mixpe.terms(activation, weight, Const(0))
            elif self._recoding == "ternary":
                terms += ternary.terms(activation, weight, Const(0))
            elif self._recoding == "booth":
                products += booth(activation, weight)
            else:
                products.append(activation * weight.as_signed())
        if terms:
            total = add_up(m, terms, Const(1))
            product, carry = Signal(len(total.number), reset_less="booth"), total.carry
        else:
            bits = 8 + self._weight_bits + (self._lanes - 1).bit_length()
            product, carry = Signal(signed(bits), reset_less="booth"), None
        m.d.sync += product.eq(total.number if terms else sum(products))
        _accumulate(m, self.first, product, carry, self.accumulator)
        return m


class LookUpAccumulate(wiring.Component):
    """Looks up four products of weights with a table and sums them, in two stages behind registered weights.

    The table is kept outside, in a register that many of these share; a cell of `dyad.rtl.pe.lut` otherwise.

    Parameters
    ----------
    weight_bits : planes of a weight: 1, 2 or 4.
    accumulator_bits : width of the sum, which wraps.

    Ports
    -----
    table : in, bits of the table; comes from a register.
    weight : in, 4 * weight_bits; stored weights, as the cell takes them.
    first : in, 1; the products start a new sum.
    accumulator : out, signed `accumulator_bits`, three cycles after weight and two after table.
    """

    def __init__(self, weight_bits: int, accumulator_bits: int) -> None:
        self._pe = Lut(weight_bits=weight_bits)
        super().__init__(
            {
                "table": In(lut.tables(self._pe).size),
                "weight": In(self._pe.plane_bits * self._pe.lanes),
                "first": In(1),
                "accumulator": Out(signed(accumulator_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        weight = Signal.like(self.weight, reset_less="booth")
        total = add_up(m, lut.terms(self._pe, self.table, weight, Const(0)), Const(1))
        product = Signal(len(total.number), reset_less="booth")
        m.d.sync += [weight.eq(self.weight), product.eq(total.number)]
        _accumulate(m, self.first, product, total.carry, self.accumulator)
        return m


class LookUpTable(wiring.Component):
    """Computes the table of four int8 activations, as a row of `dyad.rtl.pe.lut` does, between registers.

    Ports
    -----
    activation : in, four of signed 8.
    table : out, bits of the table, two cycles later.
    """

    def __init__(self) -> None:
        self._pe = Lut(lanes=4)
        super().__init__({"activation": In(8 * self._pe.lanes), "table": Out(lut.tables(self._pe).size)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Signal.like(self.activation, reset_less=True)
        result = Signal.like(self.table, reset_less=True)
        entries, even = lut.table([held.word_select(lane, 8).as_signed() for lane in range(self._pe.lanes)])
        bits = len(Value.cast(data.View(lut.tables(self._pe), result)[0].entries[0]))
        m.d.sync += [held.eq(self.activation), result.eq(Cat(*(entry[:bits] for entry in entries), even))]
        m.d.comb += self.table.eq(result)
        return m


def _accumulate(m: Module, first: Value, product: Signal, carry: Value | None, result: Signal) -> None:
    """Add up products, which a register holds, with a carry that is still to be held; `first` is two cycles early."""
    accumulator = Signal.like(result, reset_less="booth")
    early, starts, held = Signal(), Signal(), Signal(reset_less="booth")
    m.d.sync += [early.eq(first), starts.eq(early), accumulator.eq(Mux(starts, 0, accumulator) + product + held)]
    if carry is not None:
        m.d.sync += held.eq(carry)
    m.d.comb += result.eq(accumulator)


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
