"""Multiply-accumulate circuits in one frame, others' and ours: two stages behind registered inputs.

`dyad.hw.synthesis.rivals` holds what the others came to elsewhere.
"""

from __future__ import annotations

from typing import Literal

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...models.formats import scalar
from ...models.formats.lmul import offset
from ...models.pe import Lut, XrNpe
from ...models.pe.xr_npe import MODES
from ...rtl.decode import decode
from ...rtl.pe import lut, mixpe, ternary, xr_npe_narrow
from ...rtl.pe.sums import Term, add_up
from ...rtl.pe.xr_npe_operands import WIDTHS
from ...rtl.rounding import delay

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
        activations = Signal.like(self.activation, reset_less=True)
        weights = Signal.like(self.weight, reset_less=True)
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
            product, carry = Signal(len(total.number), reset_less=True), total.carry
        else:
            bits = 8 + self._weight_bits + (self._lanes - 1).bit_length()
            product, carry = Signal(signed(bits), reset_less=True), None
        m.d.sync += product.eq(total.number if terms else sum(products))
        _accumulate(m, self.first, product, carry, self.accumulator)
        return m


class PositMultiplyAccumulate(wiring.Component):
    """Multiplies two posits each cycle and sums exactly, in two stages behind registered inputs.

    The decoders of a row and of a column of `dyad.rtl.pe.xr_npe`, and a cell with one product and without a register
    for its result.

    Parameters
    ----------
    format : that of the operands, one of which there are several in a word.
    group : products that the quire surely holds.

    Ports
    -----
    a, b : in, codes of the format.
    first : in, 1; the products start a new sum.
    quire : out, signed; the sum in units of the least product, three cycles later.
    nar : out, 1; whether an operand was NaR, and the quire means nothing.
    """

    def __init__(self, format: str, group: int) -> None:
        self._pe = XrNpe(modes=tuple(mode for mode in MODES if mode.weight == format), group=group)
        bits = scalar(format).bits
        super().__init__(
            {
                "a": In(bits),
                "b": In(bits),
                "first": In(1),
                "quire": Out(signed(self._pe.accumulator_bits)),
                "nar": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        codes = [delay(m, code, 1, reset_less=True) for code in (self.a, self.b)]
        (mode,) = self._pe.modes
        a, b = (decode(m, code, mode.weight, WIDTHS[mode.packing]) for code in codes)
        sums = xr_npe_narrow.accumulate(m, self._pe, [(a, b)], delay(m, self.first, 1, reset_less=True))
        m.d.comb += [self.quire.eq(sums.quire), self.nar.eq(sums.nar)]
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
        weight = Signal.like(self.weight, reset_less=True)
        total = add_up(m, lut.terms(self._pe, self.table, weight, Const(0)), Const(1))
        product = Signal(len(total.number), reset_less=True)
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


class FloatProduct(wiring.Component):
    """Multiplies two floats between registers; codes that are not normal count as 0, as in `dyad.models.formats.lmul`.

    Parameters
    ----------
    format : their name and that of the product.
    exact : whether significands are multiplied and the product is rounded to nearest even; else fields are added. Below
        the normal range an exact product is 0. Above the largest code, as L-Mul has it, both are the largest.

    Ports
    -----
    a, w : in, codes.
    product : out, code, two cycles later.
    """

    def __init__(self, format: str, exact: bool) -> None:
        self._format, self._exact = scalar(format), exact
        bits = self._format.bits
        super().__init__({"a": In(bits), "w": In(bits), "product": Out(bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        format, mantissa = self._format, self._format.mantissa_bits
        a, w, product = (Signal(format.bits, reset_less=True, name=name) for name in ("a_held", "w_held", "result"))
        fields = Signal(signed(format.bits + 2))
        if self._exact:
            significand = Signal(2 * mantissa + 2)
            m.d.comb += significand.eq(Cat(a[:mantissa], 1) * Cat(w[:mantissa], 1))
            top = significand[-1]
            whole = Mux(top, significand[mantissa + 1 : -1], significand[mantissa:-2])
            half = Mux(top, significand[mantissa], significand[mantissa - 1])
            below = significand[: mantissa - 1].any() | (top & significand[mantissa - 1])
            exponent = a[mantissa:-1] + w[mantissa:-1] + top - format.bias
            m.d.comb += fields.eq((exponent << mantissa) + whole + (half & (below | whole[0])))
            small = fields >> mantissa <= 0
        else:
            m.d.comb += fields.eq(a[:-1] + w[:-1] - offset(format))
            small = fields < 0
        some = a[mantissa:-1].any() & w[mantissa:-1].any() & ~small
        code = Mux(fields >> format.bits - 1 > 0, format.largest, fields[: format.bits - 1])
        m.d.sync += [
            a.eq(self.a),
            w.eq(self.w),
            product.eq(Cat(code, a[-1] ^ w[-1]) & some.replicate(format.bits)),
        ]
        m.d.comb += self.product.eq(product)
        return m


def _accumulate(m: Module, first: Value, product: Signal, carry: Value | None, result: Signal) -> None:
    """Add up products, which a register holds, with a carry that is still to be held; `first` is two cycles early."""
    accumulator = Signal.like(result, reset_less=True)
    early, starts, held = Signal(), Signal(), Signal(reset_less=True)
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
