"""Sums of integers over the steps of a segment."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value

from ...models.pe import PE
from ..rounding import delay


def accumulate(m: Module, pe: PE, step: Value, addend: Value, result: Value, carry: Value | int = 0) -> None:
    """Sum `addend + carry`, 0 in cycles without operands, over the steps of a segment; show the sum when it has ended.

    The result is shown `dot_latency` cycles after `step`, all but one of which the addend has taken.
    """
    first = delay(m, step.valid & step.first, pe.dot_latency - 1)
    last = delay(m, step.valid & step.last, pe.dot_latency - 1)
    hold(m, first, last, addend, result, carry)


def hold(m: Module, first: Value, last: Value, addend: Value, result: Value, carry: Value | int = 0) -> None:
    """Sum `addend + carry` from `first` to `last`, and show the sum from then on.

    Nothing is read before the first segment has ended, so that neither register needs a reset.
    """
    accumulator = Signal.like(result, reset_less=True)
    shown = Signal.like(result, reset_less=True)
    total = Signal.like(result)
    m.d.comb += total.eq(Mux(first, 0, accumulator) + addend + carry)
    m.d.sync += accumulator.eq(total)
    with m.If(last):
        m.d.sync += shown.eq(total)
    m.d.comb += result.eq(shown)
