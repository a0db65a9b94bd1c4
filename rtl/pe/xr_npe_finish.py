"""The finish station of XR-NPE: from a quire to a float32, rounded to odd, and into a total."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring

from ...models.pe.xr_npe import XrNpe, product_range
from ..float import Add
from .stations import finish_ports
from .xr_npe_operands import held, is_any, narrow_bits, result_layout, segments


class Finish(wiring.Component):
    """Rounds a cell's sum to odd in float32 and adds it to a total, with `latency` cycles and interval 1.

    Ports
    -----
    mode : in, 4; index of the segment's mode.
    accumulator : in, `result_layout`; a cell's result.
    activation_sum, zero_point, scale, scaled : in; not used.
    base : in, 32; the total before: bits of a finite float32 or of a NaN.
    total : out, 32, `latency` cycles later; f32(base + sum), the NaN 0x7FC00000 if an operand was NaR or the base NaN.
    """

    latency = 3 + Add.latency

    def __init__(self, pe: XrNpe) -> None:
        self._pe = pe
        super().__init__(finish_ports(result_layout(pe), signed(1)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self._pe
        # Shifts by 32 and less make 24 bits of a sum that has more than them.
        total = Signal(signed(max(pe.accumulator_bits, 34)), reset_less=True)
        m.d.sync += total.eq(_resolved(self.accumulator, is_any(self.mode, pe, 1), pe))

        # What is complemented where the sum is negative lacks 1, which is what ones without end below it come to.
        sign = total[-1]
        word = Signal(len(total))
        m.d.comb += word.eq(Cat(sign, total[:-1] ^ sign.replicate(len(total) - 1)))
        top = len(word) - 2
        coarse, places, lost = _leading(m, word, sign, range(top.bit_length() - 1, 4, -1))
        word, sign, places, lost = (held(m, value, 1) for value in (coarse, sign, places, lost))
        word, finer, lost_too = _leading(m, word, sign, range(4, -1, -1))
        unit = Signal(signed(8))
        with m.Switch(held(m, self.mode, 2)):
            for index, mode in enumerate(pe.modes):
                with m.Case(index):
                    m.d.comb += unit.eq(product_range(mode).exponent)
        exponent = unit + (127 + top) - Cat(finer, places)
        inexact = lost | lost_too
        odd = Cat(word[:-1], exponent[:8]) + (sign & ~inexact)
        value = Signal(32, reset_less=True)
        m.d.sync += value.eq(Mux(word[-1], Cat(odd[:31] | inexact, sign), 0))

        m.submodules.add = add = Add()
        base = held(m, self.base, 3)
        nan = base[23:31].all()
        m.d.comb += [
            add.a.eq(Mux(nan, 0, base)),
            add.b.eq(value),
            self.total.eq(Mux(held(m, nan | held(m, self.accumulator.nar, 3), Add.latency), 0x7FC00000, add.sum)),
        ]
        return m


def _resolved(result: data.View, wide: Value, pe: XrNpe) -> Value:
    """Return the quire of a result with the carries that waited, and its sign above what narrow modes use."""
    limit, (*below, _) = narrow_bits(pe), segments(pe)
    carries = sum(result.carries[index] << high for index, (_, high) in enumerate(below))
    if limit in (0, pe.accumulator_bits):
        return (result.quire + carries)[: pe.accumulator_bits].as_signed()
    above = result.quire[limit - 1] & ~wide
    return (result.quire + carries) | Cat(C(0, limit), above.replicate(pe.accumulator_bits - limit))


def _leading(m: Module, word: Value, fill: Value, bits: range) -> tuple[Value, Value, Value]:
    """Return a word shifted left by so many places until a one is at the top, as far as `bits` of their number allow;
    those places; and whether bits unlike `fill` were cut off below the 24 and what the lower places may still need.
    """
    places = Signal(len(bits))
    lost: list[Value] = [C(0, 1)]
    for bit in bits:
        none = places[bit - bits[-1]]
        spare = max(len(word) - (24 + (1 << bit) - 1), 0)
        shifted = Signal(len(word), name=f"leading_{1 << bit}")
        m.d.comb += none.eq(~word[-(1 << bit) :].any())
        m.d.comb += shifted.eq(Mux(none, Cat(fill.replicate(1 << bit), word), word))
        if spare:
            lost.append((shifted[:spare] ^ fill.replicate(spare)).any())
        word = shifted[spare:]
    return word, places, Cat(*lost).any()
