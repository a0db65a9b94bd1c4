"""What the stations of XR-NPE hand to one another, and its edges, which decode the words of a row and of a column."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...models.pe.mode import Mode
from ...models.pe.xr_npe import WORD, XrNpe
from ..decode import decode
from ..rounding import delay
from .stations import STEP

PLACES = 4
PRECISION = 13
WIDTHS = {1: PRECISION, 2: 6, 4: 2}
"""Bits of a significand, by the number of operands in a word."""
OPERAND = data.StructLayout({"significand": PRECISION, "exponent": 3 * PLACES, "sign": PLACES, "nar": 1})
"""A decoded word.

significand : the place's sub-lane starts at bit 3 * place: 2 bits of four operands, 6 of two, 13 of one.
exponent : 3 bits for each place; one operand has 6 from place 2 on.
sign : a bit for each place.
nar : a sub-lane is NaR.
"""

COLUMN_FLAGS = {"wide": 1, "quad": 1}
"""What else a cell takes from its column: whether words hold one operand, whether four. It stays while not `valid`."""

held = partial(delay, reset_less=True)
"""Nothing is read before a segment, whose first products leave out what was there before: its end alone is reset."""

SEGMENT = 22
"""Bits of the quire between which carries wait, beyond those that narrow products use."""


def row_layout(pe: XrNpe) -> data.StructLayout:
    """Return the shape of what a cell takes in a step from its row."""
    return data.StructLayout({"words": data.ArrayLayout(OPERAND, pe.lanes)})


def column_layout(pe: XrNpe) -> data.StructLayout:
    """Return the shape of what a cell takes in a step from its column."""
    return data.StructLayout({"words": data.ArrayLayout(OPERAND, pe.lanes), **COLUMN_FLAGS})


def narrow_bits(pe: XrNpe) -> int:
    """Return the bits of the quire that modes of several operands in a word use."""
    return max((pe.quire_bits(mode) for mode in pe.modes if mode.packing > 1), default=0)


def segments(pe: XrNpe) -> list[tuple[int, int]]:
    """Return the bits, from and to, of each segment of the quire; the first one is what narrow modes use."""
    first = narrow_bits(pe) or SEGMENT
    edges = [0, *range(first, pe.accumulator_bits - SEGMENT // 2, SEGMENT), pe.accumulator_bits]
    return [*pairwise(edges)]


def result_layout(pe: XrNpe) -> data.StructLayout:
    """Return the shape of a cell's result: the quire, the carries that wait above each segment but the last, NaR."""
    carry = pe.lanes.bit_length()
    waiting = len(segments(pe)) - 1
    carries = {"carries": data.ArrayLayout(carry, waiting)} if waiting else {}
    return data.StructLayout({"quire": pe.accumulator_bits, **carries, "nar": 1})


def is_any(mode: Value, pe: XrNpe, packing: int) -> Value:
    """Return whether a mode's index is that of a mode with so many operands in a word."""
    modes = [mode == index for index, each in enumerate(pe.modes) if each.packing == packing]
    return Cat(*modes).any() if modes else C(0, 1)


class _Prepare(wiring.Component):
    """Decodes the words of a row or a column; one cycle.

    Ports
    -----
    step : in, `STEP`; without `valid` operands are 0, which adds nothing to any cell.
    activations or weights : in, 16 * lanes; lane l at bit 16 l, its sub-lanes from the low bits on.
    operand : out, `row_layout` or `column_layout`, in the next cycle.
    """

    def __init__(self, pe: XrNpe, port: str, ports: dict[str, wiring.Member]) -> None:
        self._pe, self._port = pe, port
        super().__init__({"step": In(STEP), port: In(WORD * pe.lanes), **ports})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = getattr(self, self._port)
        operands = Signal(data.ArrayLayout(OPERAND, self._pe.lanes), reset_less=True)
        m.d.comb += self.operand.words.eq(operands)
        for lane in range(self._pe.lanes):
            word = words.word_select(lane, WORD)
            cases = [_operand(m, word, mode) for mode in self._pe.modes]
            decoded = Signal(OPERAND, name=f"decoded_{lane}")
            m.d.comb += decoded.eq(Array(cases)[self.step.mode])
            m.d.sync += operands[lane].eq(Mux(self.step.valid, decoded.as_value(), 0))
        return m


class PrepareRow(_Prepare):
    """See `_Prepare`; `sum` is 0, since the cells of a row share nothing else."""

    def __init__(self, pe: XrNpe) -> None:
        super().__init__(pe, "activations", {"operand": Out(row_layout(pe)), "sum": Out(signed(1))})


class PrepareColumn(_Prepare):
    """See `_Prepare`."""

    def __init__(self, pe: XrNpe) -> None:
        super().__init__(pe, "weights", {"operand": Out(column_layout(pe))})

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        for name, packing in (("wide", 1), ("quad", 4)):
            flag = Signal(name=f"{name}_held", reset_less=True)
            with m.If(self.step.valid):
                m.d.sync += flag.eq(is_any(self.step.mode, self._pe, packing))
            m.d.comb += self.operand[name].eq(flag)
        return m


def _operand(m: Module, word: Value, mode: Mode) -> Value:
    """Return a word decoded to the fields of `OPERAND`."""
    bits = WORD // mode.packing
    stride = PLACES // mode.packing
    width = WIDTHS[mode.packing]
    numbers = [decode(m, word.word_select(part, bits), mode.weight, width) for part in range(mode.packing)]
    if mode.packing == 1:
        (number,) = numbers
        return Cat(
            number.significand, C(0, 6), C(0, 6) | number.exponent[:6], C(0, 2), number.sign, C(0, 1), number.nar
        )
    significand = [Cat(number.significand, C(0, 3 * stride - width)) for number in numbers]
    exponent = [Cat(number.exponent[:3], C(0, 3 * stride - 3)) for number in numbers]
    sign = [Cat(number.sign, C(0, stride - 1)) for number in numbers]
    return Cat(*significand, C(0, 1), *exponent, *sign, Cat(number.nar for number in numbers).any())
