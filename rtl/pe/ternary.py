"""Ternary weights as a circuit: add, subtract or skip. Its arithmetic is `dyad.models.pe.ternary`.

Packed weights are unpacked once for a column. Four lanes of that take 1521 um2 and 1.7 ns in sky130_fd_sc_hd (Yosys
0.70 + ABC, 4 ns, inputs registered), where 2-bit codes take 260. Digits of base 3 would take 4138 and 4.2 ns as a
fraction that is multiplied by 3 for each of them, 5160 and 2.8 ns as a table. A cell of four lanes in turn shrinks from
4263 um2 to 3666, because no weight is -2.
"""

from __future__ import annotations

from functools import partial

from amaranth.hdl import Array, Cat, Const, Module, Mux, Value
from amaranth.lib import wiring

from ...models.pe import Ternary
from ..rounding import delay
from . import integer
from .stations import Stations, column_ports
from .sums import Term

DIGIT = 2
"""Bits of a digit: two's complement."""


def stations(pe: Ternary) -> Stations:
    """Return the constructors of the stations for a description."""
    if not pe.packed:
        return integer.stations(pe, integer.lanewise(pe, terms))
    cell = integer.lanewise(pe, digit_terms, weight_bits=DIGIT)
    return integer.stations(pe, cell)._replace(PrepareColumn=partial(PrepareColumn, pe))


def terms(a: Value, weight: Value, mode: Value) -> list[Term]:
    """Return the activation's multiple by a 2-bit weight in two's complement: 0, a, -2 a or -a."""
    multiple = Mux(weight[0], a, Mux(weight[1], a << 1, 0))[: len(a) + 1]
    return [Term(multiple ^ weight[1].replicate(len(multiple)), weight[1])]


def digit_terms(a: Value, digit: Value, mode: Value) -> list[Term]:
    """Return the activation's multiple by a digit: 0, a or -a."""
    multiple = a.as_unsigned() & digit[0].replicate(len(a))
    return [Term(multiple ^ digit[1].replicate(len(a)), digit[1])]


class PrepareColumn(wiring.Component):
    """What the cells of a column share: the digit of each lane's byte that belongs to the step.

    Ports
    -----
    step : in, `STEP`; its phase says which digit. weights : in, 8 * lanes. operand : out, 2 * lanes, in the same cycle;
        0 in cycles without operands.
    """

    def __init__(self, pe: Ternary) -> None:
        self._pe = pe
        super().__init__(column_ports(pe, DIGIT * pe.lanes))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self._pe
        found = [Array(digits(self.weights.word_select(lane, 8)))[self.step.phase] for lane in range(pe.lanes)]
        m.d.comb += self.operand.eq(delay(m, Mux(self.step.valid, Cat(found), 0), pe.prepare_latency))
        return m


def digits(code: Value) -> list[Value]:
    """Return the five digits of a byte, of `DIGIT` bits each; see `dyad.models.pe.trits`."""
    low, middle, high = code[:2], code[2:5], code[5:]
    escaped = middle == 0b101
    top = Mux(escaped, high, middle)
    p, c, minus = top[1:], top[0], Const(0b11, DIGIT)
    third, lowest = low == 0b10, p == 0b10
    other, sign = Cat(1, ~c), Cat(1, ~high[0])
    pair = high[1:] == 0b10
    return [
        Mux(third, p, low),
        Mux(third, other, Mux(lowest, 0, p)),
        Mux(third | lowest, minus, c),
        Mux(escaped, 0, Mux(pair, sign, high[1:])),
        Mux(escaped | pair, minus, high[0]),
    ]
