"""What processing elements of integers share: the sums of a cell and of a row over a segment, and the finish station.

Their arithmetic is `dyad.models.pe.integer`. A processing element adds how its cell multiplies.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from amaranth.hdl import Array, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...models.pe import PE
from ..float import Add, unpack
from ..rounding import FP32, Round, delay
from .stations import STEP, Stations

Terms = Callable[[Value, Value, Value], list[Value]]
"""Given a signed activation, a plane of a weight, and whether that is in two's complement: numbers that sum to the
product."""


def stations(pe: PE, terms: Terms) -> Stations:
    """Return the constructors of the three stations of `pe`, whose cells multiply by `terms`."""
    return Stations(
        Prepare=partial(Prepare, pe.lanes, pe.accumulator_bits),
        Dot=partial(Dot, pe, terms),
        Finish=partial(Finish, pe.accumulator_bits),
    )


class Dot(wiring.Component):
    """A cell: `lanes` products of int8 activations and a plane of their weights each cycle, summed over a segment.

    Parameters
    ----------
    pe : description of the processing element.
    terms : how it multiplies.

    Ports
    -----
    step : in, `STEP`, with its rules.
    activations : in, 8 * lanes; int8, lane l at bit 8 l.
    weights : in, plane_bits * lanes; one plane of each weight, lane l at bit plane_bits * l.
    result : out, signed `accumulator_bits`; sum of the last segment that ended. Sums wrap.
    """

    def __init__(self, pe: PE, terms: Terms) -> None:
        self._pe, self._terms = pe, terms
        super().__init__(
            {
                "step": In(STEP),
                "activations": In(8 * pe.lanes),
                "weights": In(pe.plane_bits * pe.lanes),
                "result": Out(signed(pe.accumulator_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes, plane_bits = self._pe.lanes, self._pe.plane_bits
        products: list[Value] = []
        for lane in range(lanes):
            a = self.activations.word_select(lane, 8).as_signed()
            products += self._terms(a, self.weights.word_select(lane, plane_bits), self.step.signed)
        # A product is within 128 * (2^plane_bits - 1) of 0.
        dot = Signal(signed(8 + plane_bits + (lanes - 1).bit_length()))
        m.d.comb += dot.eq(sum(products))
        planes = max(mode.interval for mode in self._pe.modes)
        shifted = Array(dot << plane_bits * plane for plane in range(planes))[self.step.plane]
        _accumulate(m, self.step, shifted, self.result)
        return m


class Prepare(wiring.Component):
    """What the cells of a row share: the sum of its activations over a segment.

    Parameters
    ----------
    lanes : activations a cycle.
    width : bits of the sum, which wraps.

    Ports
    -----
    step : in, `STEP`, with its rules; only the first plane of a weight counts.
    activations : in, 8 * lanes; int8, lane l at bit 8 l.
    sum : out, signed `width`; sum of the last segment that ended.
    """

    def __init__(self, lanes: int, width: int) -> None:
        self._lanes = lanes
        super().__init__({"step": In(STEP), "activations": In(8 * lanes), "sum": Out(signed(width))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total = sum(self.activations.word_select(lane, 8).as_signed() for lane in range(self._lanes))
        _accumulate(m, self.step, Mux(self.step.plane == 0, total, 0), self.sum)
        return m


def _accumulate(m: Module, step: Value, addend: Value, result: Value) -> None:
    """Sum `addend` over the steps of a segment and show the sum in `result` when the segment has ended."""
    accumulator = Signal.like(result)
    total = Signal.like(result)
    m.d.comb += total.eq(Mux(step.first, 0, accumulator) + addend)
    with m.If(step.valid):
        m.d.sync += accumulator.eq(total)
        with m.If(step.last):
            m.d.sync += result.eq(total)


class Finish(wiring.Component):
    """Corrects a cell's sum by the zero point, scales it and adds it to a total, with `latency` cycles and interval 1.

    Parameters
    ----------
    accumulator_bits : width of the cell's sum.

    Ports
    -----
    accumulator : in, signed `accumulator_bits`; sum of the products of a segment.
    activation_sum : in, signed `accumulator_bits`; sum of its activations.
    zero_point : in, signed 9; z, within the range of the weights' format.
    scale : in, 16; s, a finite fp16 that is not negative.
    scaled : in, 1; whether totals are float32, else int32.
    base : in, 32; the total before: bits of an int32 or of a finite float32.
    total : out, 32, `latency` cycles later; base + I or f32(base + f32(s * I)), I = accumulator - z * activation_sum.
    """

    latency = 2 + Round.latency + Add.latency

    def __init__(self, accumulator_bits: int) -> None:
        super().__init__(
            {
                "accumulator": In(signed(accumulator_bits)),
                "activation_sum": In(signed(accumulator_bits)),
                "zero_point": In(signed(9)),
                "scale": In(16),
                "scaled": In(1),
                "base": In(32),
                "total": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # |a (q - z)| is at most twice the largest |a q|, so that the corrected sum takes one bit more.
        width = len(self.accumulator) + 1
        corrected = Signal(signed(width))
        m.d.sync += corrected.eq(self.accumulator - self.zero_point * self.activation_sum)
        scale, scaled, base = (delay(m, port, 1) for port in (self.scale, self.scaled, self.base))

        m.submodules.round = round = Round(max(width + 11, 25))
        significand, exponent = unpack(scale, precision=11, bias=15)
        m.d.comb += round.format.eq(FP32)
        m.d.sync += [
            round.sign.eq(corrected[-1]),
            round.magnitude.eq(abs(corrected) * significand),
            round.exponent.eq(exponent),
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
