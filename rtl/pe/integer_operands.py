"""Operands of integers at the edges of a tile: activations as integers and their sums, weights as they are."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring

from ...models.pe.fixed import fixed_point
from ...models.pe.integer import IntegerPE
from ..fixed import to_fixed
from ..rounding import delay
from .segments import accumulate
from .stations import STEP, column_ports, row_ports


def sums(pe: IntegerPE) -> data.StructLayout:
    """Return the layout of what a row sums: its activations, and 1 for each step."""
    longest = max(pe.longest(mode) for mode in pe.modes)
    needed = (longest * fixed_point(pe.activation).largest).bit_length() + 1
    bits = min(needed, pe.accumulator_bits) if pe.integers else pe.accumulator_bits
    return data.StructLayout({"total": signed(bits), "steps": (longest // pe.lanes + 1).bit_length()})


class PrepareRow(wiring.Component):
    """What the cells of a row share: activations as integers, 0 where there are none, and their sum over a segment.

    Parameters
    ----------
    pe : description of the processing element.
    operand, sum : bits and layout of the ports, where a subclass makes something else of the activations.

    Ports
    -----
    step : in, `STEP`, with its rules; only the first plane of a weight counts for the sum.
    activations : in, activation_bits * lanes; lane l at bit activation_bits * l.
    operand : out, lanes of signed integers, `prepare_latency` cycles later.
    sum : out, `sums(pe)` of the last segment that ended; the total wraps.
    """

    def __init__(self, pe: IntegerPE, operand: int | None = None, sum: data.StructLayout | None = None) -> None:
        self._pe = pe
        super().__init__(row_ports(pe, operand or fixed_point(pe.activation).bits * pe.lanes, sum or sums(pe)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        numbers = decode(m, self._pe, self.step.valid, self.activations)
        count(m, self._pe, self.step, self.prepare(m, numbers), self.sum)
        return m

    def prepare(self, m: Module, numbers: data.View) -> dict[str, Value]:
        """Make the operand of the activations of all lanes; return what each sum takes in together with it."""
        pe = self._pe
        m.d.comb += self.operand.eq(delay(m, numbers.as_value(), pe.prepare_latency))
        operands = data.View(numbers.shape(), self.operand)
        total = Signal(signed(len(numbers[0]) + (pe.lanes - 1).bit_length()))
        m.d.comb += total.eq(sum(operands[lane] for lane in range(pe.lanes)))
        return {"total": total, "steps": Const(1)}


def count(m: Module, pe: IntegerPE, step: Value, addends: dict[str, Value], sums: Any) -> None:
    """Sum what a row adds in each step, known when its operands are; `step` is that of the row's inputs.

    The sums appear with the results of the cells, which take `dot_latency` cycles.
    """
    step = data.View(STEP, delay(m, step.as_value(), pe.prepare_latency))
    for name, addend in addends.items():
        counted = delay(m, Mux(step.valid & (step.plane == 0), addend, 0), pe.dot_latency - 1)
        accumulate(m, pe, step, counted, sums[name])


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

    Parameters
    ----------
    pe : description of the processing element.
    idle : the plane of a weight that cells are given in cycles without operands.

    Ports
    -----
    step : in, `STEP`. weights : in, plane_bits * lanes. operand : out, the same bits; in cycles without operands
        the idle plane in every lane.
    """

    def __init__(self, pe: IntegerPE, idle: int) -> None:
        self._pe, self._idle = pe, idle
        super().__init__(column_ports(pe, pe.plane_bits * pe.lanes))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self._pe
        idle = Const(self._idle, pe.plane_bits).replicate(pe.lanes)
        m.d.comb += self.operand.eq(delay(m, Mux(self.step.valid, self.weights, idle), pe.prepare_latency))
        return m
