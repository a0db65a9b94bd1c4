"""What processing elements of integers share: the sums of a cell and of a row over a segment, and the finish station.

Their arithmetic is `dyad.models.pe.integer`. A processing element adds how its cell multiplies.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from amaranth.hdl import Array, Cat, Const, Module, Mux, ShapeLike, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...models.formats import scalar
from ...models.pe import PE
from ...models.pe.fixed import fixed_point
from ...models.pe.integer import IntegerPE
from ..fixed import to_fixed
from ..float import Add, unpack
from ..rounding import FP32, Round, delay
from .stations import STEP, Stations

Terms = Callable[[Value, Value, Value], list[Value]]
"""Given a signed activation, a plane of a weight and the mode: numbers that sum to the product."""


def stations(pe: IntegerPE, terms: Terms) -> Stations:
    """Return the constructors of the stations of `pe`, whose cells multiply by `terms`."""
    return Stations(
        PrepareRow=partial(PrepareRow, pe),
        PrepareColumn=partial(PrepareColumn, pe),
        Dot=partial(Dot, pe, terms),
        Finish=partial(Finish, pe),
        result=signed(pe.accumulator_bits),
        sum=signed(pe.accumulator_bits),
    )


def is_signed(pe: IntegerPE, mode: Value) -> Value:
    """Return whether the weights of a mode have a sign."""
    return Array(int(scalar(each.weight).signed) for each in pe.modes)[mode]


class PrepareRow(wiring.Component):
    """What the cells of a row share: activations as integers, 0 where there are none, and their sum over a segment.

    Parameters
    ----------
    pe : description of the processing element.

    Ports
    -----
    step : in, `STEP`, with its rules; only the first plane of a weight counts for the sum.
    activations : in, activation_bits * lanes; lane l at bit activation_bits * l.
    operand : out, lanes of signed integers, `prepare_latency` cycles later.
    sum : out, signed `accumulator_bits`, which wraps; sum of the last segment that ended.
    """

    def __init__(self, pe: IntegerPE) -> None:
        self._pe = pe
        super().__init__(
            {
                "step": In(STEP),
                "activations": In(pe.activation_bits * pe.lanes),
                "operand": Out(fixed_point(pe.activation).bits * pe.lanes),
                "sum": Out(signed(pe.accumulator_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, step = self._pe, self.step
        numbers = decode(m, pe, step.valid, self.activations)
        m.d.comb += self.operand.eq(delay(m, numbers.as_value(), pe.prepare_latency))
        held = data.View(STEP, delay(m, step.as_value(), pe.prepare_latency))
        operands = data.View(numbers.shape(), self.operand)
        total = Signal(signed(len(numbers[0]) + (pe.lanes - 1).bit_length()))
        m.d.comb += total.eq(Mux(held.plane == 0, sum(operands[lane] for lane in range(pe.lanes)), 0))
        accumulate(m, held, total, self.sum)
        return m


def decode(m: Module, pe: IntegerPE, valid: Value, activations: Value) -> data.View:
    """Return the activations of all lanes as signed integers, zeros in cycles without operands."""
    lanes = []
    for lane in range(pe.lanes):
        code = Signal(pe.activation_bits, name=f"activation_{lane}")
        m.d.comb += code.eq(Mux(valid, activations.word_select(lane, len(code)), 0))
        lanes.append(to_fixed(code, pe.activation))
    numbers = Signal(data.ArrayLayout(signed(fixed_point(pe.activation).bits), pe.lanes))
    m.d.comb += numbers.eq(Cat(lanes))
    return numbers


class PrepareColumn(wiring.Component):
    """What the cells of a column share: the weights as they are, `prepare_latency` cycles later.

    Ports
    -----
    step : in, `STEP`. weights : in, plane_bits * lanes. operand : out, the same bits.
    """

    def __init__(self, pe: PE) -> None:
        self._pe = pe
        bits = pe.plane_bits * pe.lanes
        super().__init__({"step": In(STEP), "weights": In(bits), "operand": Out(bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.operand.eq(delay(m, self.weights, self._pe.prepare_latency))
        return m


class Dot(wiring.Component):
    """A cell: `lanes` products of activations and a plane of their weights each cycle, summed over a segment.

    Parameters
    ----------
    pe : description of the processing element.
    terms : how it multiplies.

    Ports
    -----
    step : in, `STEP`, with its rules.
    row : in, lanes of signed integers; 0 in cycles without operands.
    column : in, plane_bits * lanes; one plane of each weight, lane l at bit plane_bits * l.
    result : out, signed `accumulator_bits`; sum of the last segment that ended. Sums wrap.
    """

    def __init__(self, pe: IntegerPE, terms: Terms) -> None:
        self._pe, self._terms = pe, terms
        super().__init__(
            {
                "step": In(STEP),
                "row": In(fixed_point(pe.activation).bits * pe.lanes),
                "column": In(pe.plane_bits * pe.lanes),
                "result": Out(signed(pe.accumulator_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, bits = self._pe, fixed_point(self._pe.activation).bits
        products: list[Value] = []
        for lane in range(pe.lanes):
            a = self.row.word_select(lane, bits).as_signed()
            products += self._terms(a, self.column.word_select(lane, pe.plane_bits), self.step.mode)
        # A product is within 2^(bits - 1) * 2^plane_bits of 0.
        dot = Signal(signed(bits + pe.plane_bits + (pe.lanes - 1).bit_length()))
        m.d.comb += dot.eq(sum(products))
        planes = max(mode.interval for mode in pe.modes)
        shifted = Array(dot << pe.plane_bits * plane for plane in range(planes))[self.step.plane]
        accumulate(m, self.step, shifted, self.result)
        return m


def accumulate(m: Module, step: Value, addend: Value, result: Value) -> None:
    """Sum `addend`, 0 in cycles without operands, over the steps of a segment, and show the sum when it has ended.

    Nothing is read before the first segment has ended, so that neither register needs a reset.
    """
    accumulator = Signal.like(result, reset_less=True)
    shown = Signal.like(result, reset_less=True)
    total = Signal.like(result)
    m.d.comb += total.eq(Mux(step.valid & step.first, 0, accumulator) + addend)
    m.d.sync += accumulator.eq(total)
    with m.If(step.valid & step.last):
        m.d.sync += shown.eq(total)
    m.d.comb += result.eq(shown)


class Finish(wiring.Component):
    """Corrects a cell's sum by the zero point, scales it and adds it to a total, with `latency` cycles and interval 1.

    A cell sums a (2^shift q + offset), for an offset that depends on the mode; that is taken back here.

    Parameters
    ----------
    pe : description of the processing element.
    sum : shape of what a row sums; a signed number of `accumulator_bits` unless `corrected` is another.

    Ports
    -----
    mode : in, 4; of the segment.
    accumulator : in, signed `accumulator_bits`; sum of the products of a segment.
    activation_sum : in, signed `accumulator_bits`; sum of its activations.
    zero_point : in, signed 9; z, within the range of the weights' format.
    scale : in, 16; s, a finite fp16 that is not negative.
    scaled : in, 1; whether totals are float32, else int32.
    base : in, 32; the total before: bits of an int32 or of a finite float32.
    total : out, 32, `latency` cycles later; base + I or f32(base + f32(s * I)) with
        I = (accumulator - (2^shift z + offset) * activation_sum) / 2^shift.
    """

    latency = 2 + Round.latency + Add.latency

    def __init__(self, pe: IntegerPE, sum: ShapeLike | None = None) -> None:
        self._pe = pe
        super().__init__(
            {
                "mode": In(4),
                "accumulator": In(signed(pe.accumulator_bits)),
                "activation_sum": In(sum or signed(pe.accumulator_bits)),
                "zero_point": In(signed(9)),
                "scale": In(16),
                "scaled": In(1),
                "base": In(32),
                "total": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self._pe
        # |a (q - z)| is at most twice the largest |a q|, so that the corrected sum takes one bit more.
        width = pe.accumulator_bits + 1
        corrected = Signal(signed(width))
        m.d.sync += corrected.eq(self.corrected())
        scale, scaled, base = (delay(m, port, 1) for port in (self.scale, self.scaled, self.base))

        m.submodules.round = round = Round(max(width + 11, 25))
        significand, exponent = unpack(scale, precision=11, bias=15)
        m.d.comb += round.format.eq(FP32)
        m.d.sync += [
            round.sign.eq(corrected[-1]),
            round.magnitude.eq(abs(corrected) * significand),
            round.exponent.eq(exponent + fixed_point(pe.activation).exponent),
        ]

        carried = Signal(32)
        m.d.sync += carried.eq(base + Mux(scaled, 0, corrected))
        scaled = delay(m, scaled, 1)
        carried, scaled = delay(m, carried, Round.latency), delay(m, scaled, Round.latency)

        m.submodules.add = add = Add()
        m.d.comb += [
            add.a.eq(carried),
            add.b.eq(round.value),
            self.total.eq(Mux(delay(m, scaled, Add.latency), add.sum, delay(m, carried, Add.latency))),
        ]
        return m

    def corrected(self) -> Value:
        """Return the sum of products, less the zero point times the sum of activations."""
        pe = self._pe
        offset = Array(Const(pe.offset(mode), signed(10)) for mode in pe.modes)[self.mode]
        correction = ((self.zero_point << pe.shift) + offset) * self.activation_sum
        return (self.accumulator - correction) >> pe.shift
