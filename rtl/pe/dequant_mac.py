"""The cell that follows dequantized weights, as a circuit. Its arithmetic is `dyad.models.pe.dequant_mac`.

The edges normalize operands: sign, exponent and 11 bits of significand, whose top bit is set unless they are 0. A cell
then multiplies significands, adds exponents and has a float32 after one bit of shifting.
"""

from __future__ import annotations

from functools import partial

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring

from ...models.formats import scalar
from ...models.pe.dequant_mac import FIELDS, PRECISION, DequantMac
from ...models.pe.fixed import fixed_point
from ..compress import total
from ..float import unpack
from ..rounding import delay, normalize
from . import floats
from .headers import header
from .stations import Stations, column_ports, row_ports

NUMBER = data.StructLayout({"significand": PRECISION, "exponent": 6, "sign": 1})
"""An operand: (-1)^sign * significand * 2^(exponent - OFFSET), normalized."""

OFFSET = PRECISION - 1 - fixed_point("fp16").exponent
"""Makes the exponent of the least subnormal fp16, normalized, 0."""


def stations(pe: DequantMac) -> Stations:
    """Return the constructors of the stations for a description."""
    return floats.stations(pe, partial(PrepareRow, pe), partial(PrepareColumn, pe), NUMBER.size, product)


class PrepareRow(wiring.Component):
    """Normalizes the activations of a row.

    Ports
    -----
    step : in, `STEP`, with its rules.
    activations : in, 16 * lanes; fp16 codes, lane l at bit 16 l.
    operand : out, a `NUMBER` for each lane, `prepare_latency` cycles later; 0 in cycles without operands.
    sum : out, 1; 0.
    """

    def __init__(self, pe: DequantMac) -> None:
        self._pe = pe
        super().__init__(row_ports(pe, NUMBER.size * pe.lanes, 1))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for lane in range(self._pe.lanes):
            code = Signal(16, name=f"activation_{lane}")
            m.d.comb += code.eq(Mux(self.step.valid, self.activations.word_select(lane, 16), 0))
            significand, exponent = unpack(code, PRECISION, scalar("fp16").bias)
            word, places = normalize(m, significand)
            number = Cat(word, (exponent + OFFSET - places)[:6], code[-1])
            m.d.comb += self.operand.word_select(lane, NUMBER.size).eq(delay(m, number, self._pe.prepare_latency))
        return m


class PrepareColumn(wiring.Component):
    """Dequantizes the weights of a column: fp16((q - z) s) with the scale and the zero point of the last header.

    Ports
    -----
    step : in, `STEP`, with its rules.
    weights : in, 4 * lanes; lane l at bit 4 l. In cycles of a header its words: s in bits 15..0, z in bits 19..16.
    operand : out, a `NUMBER` for each lane, `prepare_latency` cycles later.
    """

    def __init__(self, pe: DequantMac) -> None:
        self._pe = pe
        super().__init__(column_ports(pe, NUMBER.size * pe.lanes))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self._pe
        held = header(m, self.step, self.weights, sum(count * bits for count, bits in FIELDS))
        scale, point = held[:16], held[16:]
        has_sign = Array(int(scalar(mode.weight).signed) for mode in pe.modes)[self.step.mode]
        significand, exponent = unpack(scale, PRECISION, scalar("fp16").bias)
        exponent = delay(m, (exponent + OFFSET)[:6], 1)
        for lane in range(pe.lanes):
            code = self.weights.word_select(lane, 4)
            difference = Signal(signed(6), name=f"difference_{lane}")
            q, z = (Cat(each, each[-1] & has_sign).as_signed() for each in (code, point))
            m.d.comb += difference.eq(q - z)
            product = Signal(PRECISION + 4, name=f"product_{lane}")
            m.d.sync += product.eq(abs(difference)[:4] * significand)
            word, places = normalize(m, product)
            rounded = word[4:] + (word[3] & (word[4] | word[:3].any()))
            operand = data.View(NUMBER, self.operand.word_select(lane, NUMBER.size))
            m.d.sync += [
                operand.significand.eq(Cat(rounded[: PRECISION - 1], rounded[PRECISION - 1] | rounded[PRECISION])),
                operand.exponent.eq(exponent + 4 - places + rounded[PRECISION]),
                operand.sign.eq(delay(m, difference[-1] ^ scale[-1], 1)),
            ]
        return m


def product(m: Module, row: Value, column: Value) -> Value:
    """Return the product of two numbers, each a `NUMBER`, as a float32."""
    a, w = data.View(NUMBER, row), data.View(NUMBER, column)
    significand = Signal(2 * PRECISION, name="significand")
    rows = [(a.significand & bit.replicate(PRECISION), low) for low, bit in enumerate(w.significand)]
    m.d.comb += significand.eq(total(m, rows, len(significand)))
    top = significand[-1]
    # The point is behind the second bit, with the exponents' two offsets; float32 has 23 bits behind it.
    field = a.exponent + w.exponent + (127 - 2 * OFFSET + 2 * (PRECISION - 1)) + top
    fraction = Mux(top, significand[:-1], Cat(0, significand[:-2]))
    some = a.significand[-1] & w.significand[-1]
    number = Cat(C(0, 23 - len(fraction)), fraction, field[:8], a.sign ^ w.sign)
    return number & some.replicate(32)
