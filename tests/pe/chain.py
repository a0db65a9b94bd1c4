"""The stations of one processing element in a row: the design with which single cells are tested and measured."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dyad.models.pe import PE
from dyad.rtl.pe import STEP, stations
from dyad.rtl.rounding import delay


class Chain(wiring.Component):
    """A row, a column, their cell and its finish station, without zero points and scales.

    Ports
    -----
    stimulus : in; from bit 0 on `STEP` and the words of activations and weights, and for the finish station in the same
        cycle mode (4 bits) and base (32).
    seen : out, 32; the total.
    """

    def __init__(self, pe: PE) -> None:
        self._pe = pe
        words = {"activations": pe.lanes * pe.activation_bits, "weights": pe.lanes * pe.plane_bits}
        layout = data.StructLayout({"step": STEP, **words, "mode": 4, "base": 32})
        super().__init__({"stimulus": In(layout), "seen": Out(32)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        given, built = self.stimulus, stations(self._pe)
        m.submodules.row = row = built.PrepareRow()
        m.submodules.column = column = built.PrepareColumn()
        m.submodules.dot = dot = built.Dot()
        m.submodules.finish = finish = built.Finish()
        m.d.comb += [
            row.step.eq(given.step),
            row.activations.eq(given.activations),
            column.step.eq(given.step),
            column.weights.eq(given.weights),
            dot.step.eq(delay(m, given.step.as_value(), self._pe.prepare_latency)),
            dot.row.eq(row.operand),
            dot.column.eq(column.operand),
            finish.mode.eq(given.mode),
            finish.accumulator.eq(dot.result),
            finish.activation_sum.eq(row.sum),
            finish.scaled.eq(1),
            finish.base.eq(given.base),
            self.seen.eq(finish.total),
        ]
        return m
