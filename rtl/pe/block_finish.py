"""The finish station of processing elements of blocks: a sum, times the scales of both sides, added to a total."""

from __future__ import annotations

from amaranth.hdl import Array, C, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...models.formats import Format, scalar
from ...models.pe.blocks import BlockPE
from ...models.pe.fixed import fixed_point
from ..float import Add
from ..rounding import FP32, Round, delay
from .stations import finish_ports

NAN, INFINITY = 0x7FC00000, 0x7F800000


def resolved(result: Value, edges: list[int]) -> Value:
    """Return a cell's sum with the carries that wait at these edges of its parts."""
    carries = zip(result[edges[-1] :], edges[1:], strict=False)
    return result[: edges[-1]] + sum(carry << place for carry, place in carries)


class AddAny(wiring.Component):
    """Adds two float32 numbers as IEEE 754 does, infinities and NaN too, with `latency` cycles and interval 1.

    Ports
    -----
    a, b : in, 32.
    sum : out, 32, `latency` cycles later; NaN is 0x7FC00000, an exact 0 is +0.
    """

    latency = Add.latency

    def __init__(self) -> None:
        super().__init__({"a": In(32), "b": In(32), "sum": Out(32)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.add = add = Add()
        great = [word[23:31].all() for word in (self.a, self.b)]
        nan = [top & word[:23].any() for top, word in zip(great, (self.a, self.b), strict=True)]
        invalid = nan[0] | nan[1] | (great[0] & great[1] & (self.a[-1] ^ self.b[-1]))
        special = Cat(great[0] | great[1], invalid, Mux(great[0], self.a[-1], self.b[-1]))
        either, neither, sign = delay(m, special, self.latency)
        m.d.comb += [
            add.a.eq(self.a),
            add.b.eq(self.b),
            self.sum.eq(Mux(neither, NAN, Mux(either, Cat(C(INFINITY, 31), sign), add.sum))),
        ]
        return m


class Finish(wiring.Component):
    """Scales a cell's sum and adds it to a total, with `latency` cycles and interval 1.

    Parameters
    ----------
    pe : description of the processing element.
    edges : bits at which the parts of a cell's sum begin and end; above each but the last a carry waits.

    Ports
    -----
    mode : in, 4; index of the segment's mode.
    accumulator : in, a cell's result: the sum, and above it the carries.
    activation_sum : in, 8; code of the scale of the block of activations.
    zero_point, scaled : in; not used.
    scale : in, 16; code of the scale of the block of weights, in the low bits.
    base : in, 32; the total before: bits of a float32.
    total : out, 32, `latency` cycles later; f32(base + f32(sum times scales)), 0x7FC00000 if that is NaN.
    """

    latency = 2 + Round.latency + AddAny.latency

    def __init__(self, pe: BlockPE, edges: list[int]) -> None:
        self._pe, self._edges = pe, edges
        super().__init__(finish_ports(edges[-1] + len(edges) - 2, 8))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self._pe
        formats = [scalar(mode.scale) for mode in pe.modes]
        precision = max(1 + each.mantissa_bits for each in formats)
        total = Signal(signed(pe.accumulator_bits))
        m.d.sync += total.eq(resolved(self.accumulator, self._edges))
        scales = [Signal(SCALE, name=name) for name in ("left", "right")]
        unit = Signal(signed(10))
        for code, scale in zip((self.activation_sum, self.scale), scales, strict=True):
            m.d.sync += scale.eq(Array(unpacked(code, each) for each in formats)[self.mode])
        m.d.sync += unit.eq(Array(2 * fixed_point(each.element.name).exponent for each in pe.formats)[self.mode])

        left, right = scales
        factor = (left.significand * right.significand)[: 2 * precision] if precision > 1 else C(1, 1)
        m.submodules.round = round = Round(max(pe.accumulator_bits + len(factor), 25))
        m.d.sync += [
            round.sign.eq(total[-1] ^ left.negative ^ right.negative),
            round.magnitude.eq(abs(total) * factor),
            round.exponent.eq(left.exponent + right.exponent + unit),
        ]
        m.submodules.add = add = AddAny()
        m.d.comb += [
            round.format.eq(FP32),
            add.a.eq(delay(m, self.base, 2 + Round.latency)),
            add.b.eq(Mux(delay(m, left.nan | right.nan, 1 + Round.latency), NAN, round.value)),
            self.total.eq(add.sum),
        ]
        return m


SCALE = data.StructLayout({"significand": 4, "exponent": signed(9), "negative": 1, "nan": 1})
"""A scale: (-1)^negative * significand * 2^exponent."""


def unpacked(code: Value, format: Format) -> Value:
    """Return a scale of a float format without infinity as `SCALE`."""
    mantissa, digits = format.mantissa_bits, format.bits - format.signed
    field = code[mantissa:digits]
    leading = field.any() if format.subnormals else C(1, 1)
    significand = Cat(code[:mantissa], leading, C(0, 3 - mantissa))
    exponent = Mux(leading, field, 1) - (format.bias + mantissa) + Const(0, signed(9))
    negative = code[digits] if format.signed else C(0, 1)
    return Cat(significand, exponent[:9], negative, code[:digits].all())
