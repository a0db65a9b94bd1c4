"""L-Mul as a circuit (arXiv 2410.00907): fields are added, and their sum decoded. See `dyad.models.pe.lmul`.

A column subtracts the constant from the fields of its weights. Operands that make a product 0 have a field so low that
no sum with it is positive, so that a cell has one condition for all that is too small.
"""

from __future__ import annotations

from functools import partial

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring

from ...models.formats import Format, scalar
from ...models.formats.lmul import offset as constant
from ...models.pe import Lmul
from ...models.pe.fixed import fixed_point
from ..float import Add
from ..rounding import FP32, Round, delay
from . import integer
from .stations import Stations, column_ports, dot_ports, finish_ports, row_ports
from .sums import Term, add_up, offset


def stations(pe: Lmul) -> Stations:
    """Return the constructors of the stations for a description."""
    return Stations(
        PrepareRow=partial(PrepareRow, pe),
        PrepareColumn=partial(PrepareColumn, pe),
        Dot=partial(Dot, pe),
        Finish=partial(Finish, pe),
        result=signed(pe.accumulator_bits),
        sum=sums(pe),
    )


def operands(pe: Lmul) -> data.ArrayLayout:
    """Return the layout of the operands of all lanes: signs, and fields that are at their least where there is none."""
    return data.ArrayLayout(data.StructLayout({"field": signed(scalar(pe.format).bits), "sign": 1}), pe.lanes)


def sums(pe: Lmul) -> data.StructLayout:
    """Return the layout of what a row sums: 1 for each step."""
    return data.StructLayout({"steps": (pe.group // pe.lanes + 1).bit_length()})


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
    sum : out, `sums(pe)` of the last segment that ended.
    """

    def __init__(self, pe: Lmul) -> None:
        self._pe = pe
        super().__init__(row_ports(pe, operands(pe).size, sums(pe)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, format = self._pe, scalar(self._pe.format)
        codes = (self.activations.word_select(lane, format.bits) for lane in range(pe.lanes))
        m.d.sync += self.operand.eq(Cat(prepare(format, code, self.step.valid, 0) for code in codes))
        integer.count(m, pe, self.step, {"steps": Const(1)}, self.sum)
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
        m.d.sync += self.operand.eq(Cat(prepare(format, code, Const(1), constant(format)) for code in codes))
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
    result : out, signed `accumulator_bits`; sum of the last segment that ended and, for each step, of `offset` of its
        terms. Sums wrap.
    """

    def __init__(self, pe: Lmul) -> None:
        self._pe = pe
        words = operands(pe).size
        super().__init__(dot_ports(words, words, signed(pe.accumulator_bits)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self._pe
        total = add_up(m, terms(m, pe, self.row, self.column), self.step.valid)
        product = Signal(len(total.number), reset_less=True)
        carry = Signal(reset_less=True)
        m.d.sync += [product.eq(total.number), carry.eq(total.carry)]
        integer.accumulate(m, pe, self.step, product, self.result, carry)
        return m


def terms(m: Module, pe: Lmul, row: Value, column: Value) -> list[Term]:
    """Return the products of all lanes as integers."""
    format = scalar(pe.format)
    found = []
    for a, w in zip(data.View(operands(pe), row), data.View(operands(pe), column), strict=True):
        code, negative = product(m, format, a, w)
        magnitude = decode(format, code)
        found.append(Term(Cat(magnitude, Const(0, 1)) ^ negative.replicate(len(magnitude) + 1), negative))
    return found


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


def decode(format: Format, code: Value) -> Value:
    """Return the magnitude of a code, in units of the format's least value."""
    mantissa, field = code[: format.mantissa_bits], code[format.mantissa_bits :]
    normal = field.any()
    return (Cat(mantissa, normal) << (field - normal)[: len(field)])[: fixed_point(format.name).bits - 1]


class Finish(wiring.Component):
    """Rounds a cell's sum to float32 and adds it to a total, with `latency` cycles and interval 1.

    Parameters
    ----------
    pe : description of the processing element.

    Ports
    -----
    accumulator : in, signed `accumulator_bits`; result of a cell.
    activation_sum : in, `sums(pe)`; those of its row.
    mode, zero_point, scale, scaled : in; not used.
    base : in, 32; the total before: bits of a finite float32.
    total : out, 32, `latency` cycles later; f32(base + f32(sum)).
    """

    latency = 2 + Round.latency + Add.latency

    def __init__(self, pe: Lmul) -> None:
        self._pe = pe
        super().__init__(finish_ports(signed(pe.accumulator_bits), sums(pe)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self._pe
        bits = fixed_point(pe.format).bits
        excess = offset([Term(Signal(bits))] * pe.lanes) * self.activation_sum.steps
        total = Signal(signed(pe.accumulator_bits))
        m.d.sync += total.eq(self.accumulator - excess)
        m.submodules.round = round = Round(max(pe.accumulator_bits, 25))
        m.d.comb += [round.format.eq(FP32), round.exponent.eq(fixed_point(pe.format).exponent)]
        m.d.sync += [round.sign.eq(total[-1]), round.magnitude.eq(abs(total))]
        m.submodules.add = add = Add()
        m.d.comb += [
            add.a.eq(delay(m, self.base, 2 + Round.latency)),
            add.b.eq(round.value),
            self.total.eq(add.sum),
        ]
        return m
