"""L-Mul as a circuit (arXiv 2410.00907): fields are added, and their sum decoded. See `dyad.models.pe.lmul`.

A column subtracts the constant from the fields of its weights. Operands that make a product 0 have a field so low that
no sum with it is positive, so that a cell has one condition for all that is too small.

Four lanes of e4m3 with registers before them take 9376 um2 and 4.3 ns in sky130_fd_sc_hd (Yosys 0.70 + ABC, 4 ns).
Without the registers behind the sums of fields it is 8824 and 6.5; with products added up in a register before they
meet the accumulator, and a carry that ripples through it, 8736 and 8.1; with a line for each place of the shift 9838.
Exact products of the same format, in `blocks`, take 15317 and 5.9.

Products of bf16 go to the cells of `floats`, whose sums are kept in range.
"""

from __future__ import annotations

from functools import partial

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring

from ...models.formats import Format, scalar
from ...models.formats.lmul import offset as constant
from ...models.pe import Lmul
from ...models.pe.fixed import fixed_point
from ..float import Add
from ..rounding import FP32, Round, delay
from ..shift import NEAR, by_lines
from . import floats
from .block_finish import resolved
from .blocks import Term, accumulate, edges, result_bits
from .stations import Stations, column_ports, dot_ports, finish_ports, row_ports


def stations(pe: Lmul) -> Stations:
    """Return the constructors of the stations for a description."""
    if not pe.exact:
        lane = operands(pe).elem_shape.size
        return floats.stations(pe, partial(PrepareRow, pe), partial(PrepareColumn, pe), lane, value)._replace(
            Dot=partial(floats.Dot, pe, lane, value, limited=False), Finish=partial(floats.Finish, limited=False)
        )
    return Stations(
        PrepareRow=partial(PrepareRow, pe),
        PrepareColumn=partial(PrepareColumn, pe),
        Dot=partial(Dot, pe),
        Finish=partial(Finish, pe),
        result=result_bits(pe.accumulator_bits),
        sum=1,
    )


def operands(pe: Lmul) -> data.ArrayLayout:
    """Return the layout of the operands of all lanes: signs, and fields that are at their least where there is none."""
    return data.ArrayLayout(data.StructLayout({"field": signed(scalar(pe.format).bits), "sign": 1}), pe.lanes)


def prepare(format: Format, code: Value, valid: Value, less: int) -> Value:
    """Return the operand of a code: its field less a constant, or the least there is if the code is not normal."""
    normal = valid & code[format.mantissa_bits : -1].any()
    least = -1 << format.bits - 1
    return Cat(Mux(normal, code[:-1] - less, least)[: format.bits], code[-1])


class PrepareRow(wiring.Component):
    """The fields of a row's activations.

    Parameters
    ----------
    pe : description of the processing element.

    Ports
    -----
    step : in, `STEP`, with its rules.
    activations : in, activation_bits * lanes; lane l at bit activation_bits * l.
    operand : out, `operands(pe)`, a cycle later; in cycles without operands fields are at their least.
    sum : out, 1; 0.
    """

    def __init__(self, pe: Lmul) -> None:
        self._pe = pe
        super().__init__(row_ports(pe, operands(pe).size, 1))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, format = self._pe, scalar(self._pe.format)
        codes = (self.activations.word_select(lane, format.bits) for lane in range(pe.lanes))
        m.d.sync += self.operand.eq(Cat(prepare(format, code, self.step.valid, 0) for code in codes))
        return m


class PrepareColumn(wiring.Component):
    """The fields of a column's weights, less what the sum of two fields has once too often.

    Ports
    -----
    step : in, `STEP`. weights : in, plane_bits * lanes; lane l at bit plane_bits * l.
    operand : out, `operands(pe)`, a cycle later.
    """

    def __init__(self, pe: Lmul) -> None:
        self._pe = pe
        super().__init__(column_ports(pe, operands(pe).size))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, format = self._pe, scalar(self._pe.format)
        codes = (self.weights.word_select(lane, format.bits) for lane in range(pe.lanes))
        m.d.sync += self.operand.eq(Cat(prepare(format, code, C(1, 1), constant(format)) for code in codes))
        return m


class Dot(wiring.Component):
    """A cell: `lanes` products each cycle, summed over a segment.

    Parameters
    ----------
    pe : description of the processing element.

    Ports
    -----
    step : in, `STEP`, with its rules.
    row, column : in, `operands(pe)`; fields of a row are at their least in cycles without operands.
    result : out, `result_bits`; sum of the last segment that ended, and its carries.
    """

    def __init__(self, pe: Lmul) -> None:
        self._pe = pe
        words = operands(pe).size
        super().__init__(dot_ports(words, words, result_bits(pe.accumulator_bits)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, format = self._pe, scalar(self._pe.format)
        terms = []
        for a, w in zip(data.View(operands(pe), self.row), data.View(operands(pe), self.column), strict=True):
            code, negative = (delay(m, each, 1) for each in product(m, format, a, w))
            number = decode(m, format, code)
            terms.append(Term(Cat(number ^ negative.replicate(len(number)), negative), 0, signed=True))
            terms.append(Term(negative, 0, signed=False))
        first, last = delay(m, Cat(self.step.valid & self.step.first, self.step.valid & self.step.last), 1)
        accumulate(m, terms, first, last, pe.accumulator_bits, self.result)
        return m


def product(m: Module, format: Format, a: data.View, w: data.View) -> tuple[Value, Value]:
    """Return the code of a product without its sign, 0 if it is too small, and whether it is negative."""
    total = Signal(signed(format.bits + 1), name="total")
    some, code = Signal(name="some"), Signal(format.bits - 1, name="code")
    m.d.comb += [
        total.eq(a.field + w.field),
        some.eq(total >= 0),
        code.eq(Mux(total[-2], format.largest, total[:-2]) & some.replicate(len(code))),
    ]
    return code, (a.sign ^ w.sign) & some


def value(m: Module, row: Value, column: Value) -> Value:
    """Return the product of two operands of bf16 as a float32 that is 0 or normal."""
    format = scalar("bf16")
    lane = data.StructLayout({"field": signed(format.bits), "sign": 1})
    code, negative = product(m, format, data.View(lane, row), data.View(lane, column))
    exponent = code[format.mantissa_bits :]
    magnitude = Mux(exponent.all(), format.largest, code)
    return Cat(C(0, 16), magnitude[: len(code)], negative) & exponent.any().replicate(32)


def decode(m: Module, format: Format, code: Value) -> Value:
    """Return the magnitude of a code, in units of the format's least value."""
    mantissa, field = code[: format.mantissa_bits], code[format.mantissa_bits :]
    normal = field.any()
    # Subnormal numbers are shifted by as much as those of the first exponent, which is 1.
    near = Cat(field[:2] == place if place != 1 else (field[:2] == 1) | ~normal for place in range(NEAR))
    far = Cat(field[2:] == place for place in range(1 << len(field) - 2))
    near = near & Cat(normal, C(~0, NEAR - 1))
    nearer = Signal(len(mantissa) + NEAR, name="nearer")
    m.d.comb += nearer.eq(by_lines(Cat(mantissa, normal), near, 1))
    return by_lines(nearer, far, NEAR)[1 : fixed_point(format.name).bits]


class Finish(wiring.Component):
    """Rounds a cell's sum to float32 and adds it to a total, with `latency` cycles and interval 1.

    Parameters
    ----------
    pe : description of the processing element.

    Ports
    -----
    accumulator : in, `result_bits`; result of a cell.
    mode, activation_sum, zero_point, scale, scaled : in; not used.
    base : in, 32; the total before: bits of a finite float32.
    total : out, 32, `latency` cycles later; f32(base + f32(sum)).
    """

    latency = 2 + Round.latency + Add.latency

    def __init__(self, pe: Lmul) -> None:
        self._pe = pe
        super().__init__(finish_ports(result_bits(pe.accumulator_bits), 1))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self._pe
        total = Signal(signed(pe.accumulator_bits))
        m.submodules.round = round = Round(max(pe.accumulator_bits, 25))
        m.submodules.add = add = Add()
        m.d.sync += [
            total.eq(resolved(self.accumulator, edges(pe.accumulator_bits))),
            round.sign.eq(total[-1]),
            round.magnitude.eq(abs(total)),
        ]
        m.d.comb += [
            round.format.eq(FP32),
            round.exponent.eq(fixed_point(pe.format).exponent),
            add.a.eq(delay(m, self.base, 2 + Round.latency)),
            add.b.eq(round.value),
            self.total.eq(add.sum),
        ]
        return m
