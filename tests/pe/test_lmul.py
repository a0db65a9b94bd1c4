from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.sim import Simulator

from dyad.hw import verify as verification
from dyad.models import formats
from dyad.models import pe as processing_elements
from dyad.models.errors import InputError
from dyad.models.formats import scalar
from dyad.models.formats.lmul import lmul_reference
from dyad.models.pe import Lmul
from dyad.models.pe import lmul as model
from dyad.models.pe.floats import add_within
from dyad.rtl.pe import floats
from dyad.rtl.pe import lmul as circuit

ALL = [Lmul(**parameters) for parameters in Lmul.variants()]
each = pytest.mark.parametrize("pe", [pe for pe in ALL if pe.exact], ids=lambda pe: pe.format)
BF16 = Lmul(format="bf16")
LARGEST = float(np.finfo(np.float32).max)


def value(format, code):
    """The value of a code, in which infinity and NaN are numbers."""
    sign, magnitude = divmod(code, 1 << format.bits - 1)
    exponent, fraction = divmod(magnitude, 1 << format.mantissa_bits)
    significand = fraction + (1 << format.mantissa_bits if exponent else 0)
    return (-1) ** sign * significand * Fraction(2) ** (max(exponent, 1) - format.bias - format.mantissa_bits)


def naive(format, a, q):
    """Sums of L-Mul products, one at a time."""
    return [
        [sum((value(format, lmul_reference(format, *pair)) for pair in zip(row, column, strict=True)), Fraction(0))
         for column in q.T.tolist()]
        for row in a.tolist()
    ]  # fmt: skip


@each
@pytest.mark.parametrize("piece", [1, 7, model.PIECE])
def test_sums_are_exact(pe, piece, monkeypatch):
    monkeypatch.setattr(model, "PIECE", piece)
    format, random = scalar(pe.format), np.random.default_rng(1)
    a, q = random.integers(0, 256, (3, 40)), random.integers(0, 256, (40, 5))
    unit = Fraction(2) ** (1 - format.bias - format.mantissa_bits)
    expected = [[int(total / unit) for total in row] for row in naive(format, a, q)]
    assert pe.dot(a, q, pe.modes[0]).tolist() == expected
    assert pe.dot(np.stack([a, a]), np.stack([q, q]), pe.modes[0]).tolist() == [expected, expected]


@each
def test_whole_products_finish_groups_one_after_the_other(pe):
    random = np.random.default_rng(2)
    format = scalar(pe.format)
    w = formats.parse(f"{pe.format}_channel").quantize(random.normal(size=(300, 4)), axis=0)
    a, bias = format.encode(random.normal(size=(3, 300))), random.normal(size=4).astype(np.float32)
    total = np.broadcast_to(bias, (3, 4))
    for start in range(0, 300, pe.group):
        part = slice(start, start + pe.group)
        sums = np.array(naive(format, a[:, part], w.codes[part]), np.float64)
        total = total + sums.astype(np.float32)
    assert np.array_equal(pe.accumulate(a, w, bias), total)


@each
def test_the_accumulator_is_as_narrow_as_the_group_allows(pe):
    largest = np.full((1, pe.group), (1 << scalar(pe.format).bits - 1) - 1)  # the code of NaN is the largest number
    every = np.tile(np.arange(1 << scalar(pe.format).bits), (pe.group, 1))
    reached = int(pe.dot(largest, every, pe.modes[0]).max())
    assert 1 << pe.accumulator_bits - 2 <= reached < 1 << pe.accumulator_bits - 1


def number(a, w):
    """The float32 of a product of bf16 codes: 0 or normal, the largest for codes of infinity and NaN."""
    format = scalar("bf16")
    code = lmul_reference(format, a, w)
    sign, magnitude = divmod(code, 1 << 15)
    magnitude = 0 if magnitude < 1 << format.mantissa_bits else min(magnitude, format.largest)
    return np.float32((-1) ** sign * float(format.decode(np.array([magnitude], np.uint16))[0]))


@pytest.mark.parametrize("wide", [False, True])
def test_sums_of_bf16_are_rounded_in_order(wide):
    """Four lanes: (p0 + p1) + (p2 + p3), and so on; nothing is subnormal or infinite."""
    format, random = scalar("bf16"), np.random.default_rng(4)
    a, q = (random.integers(0, 1 << 16, shape) if wide else format.encode(random.normal(size=shape))
            for shape in ((3, 11), (11, 4)))  # fmt: skip
    expected = []
    for row in a.tolist():
        for column in q.T.tolist():
            p = [*(number(*pair) for pair in zip(row, column, strict=True)), np.float32(0)]
            steps = [add_within(add_within(*p[k : k + 2]), add_within(*p[k + 2 : k + 4])) for k in range(0, 12, 4)]
            expected.append(add_within(add_within(steps[0], steps[1]), steps[2]))
    assert BF16.dot(a, q, BF16.modes[0]).ravel().tolist() == [float(each) for each in expected]


def test_products_and_totals_of_bf16_stay_in_range():
    largest, least = 0x7F7F, 0x0080
    a = np.array([[largest, largest, 0, 0], [largest, 0, 0, 0], [least, 0, 0, 0]])
    q = np.array([[largest, 0xFF7F], [largest, 0xFF7F], [0, 0], [0, 0]])
    sums = BF16.dot(a, q, BF16.modes[0])
    one = float(scalar("bf16").maximum)
    assert sums[:2].tolist() == [[LARGEST, -LARGEST], [one, -one]]
    assert BF16.dot(a[2:], np.full((4, 1), least), BF16.modes[0]).tolist() == [[0]]
    total = BF16.finish(sums, None, None, None, np.copysign(np.float32(LARGEST), sums), BF16.modes[0])
    assert total[0].tolist() == [LARGEST, -LARGEST]


def test_the_adder_keeps_in_range():
    random = np.random.default_rng(5)
    exponent = random.choice([0, 1, 2, 24, 25, 127, 150, 253, 254], (2, 1000))
    fraction = random.choice([0, 1, 0x123456, 0x400000, 0x7FFFFF], exponent.shape)
    sign = random.integers(0, 2, exponent.shape) << 31
    a, b = np.where(exponent, exponent << 23 | fraction | sign, 0)
    near = (a ^ 1 << 31) + random.integers(-1, 2, a.shape)
    b = np.where(random.integers(0, 2, a.shape), near, b)
    b = np.where((b >> 23 & 255) % 255 == 0, 0, b)
    one, other, total = Signal(32), Signal(32), Signal(32)
    m = Module()
    m.d.comb += total.eq(floats.add(m, one, other, limited=False))
    shown = []

    async def bench(context):
        for pair in zip(a.tolist(), b.tolist(), strict=True):
            context.set(Cat(one, other), pair[0] | pair[1] << 32)
            shown.append(context.get(total))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    values = (each.astype(np.uint32).view(np.float32) for each in (a, b))
    expected = add_within(*values).view(np.uint32)
    assert shown == expected.tolist()
    assert {0, 0x7F7FFFFF, 0xFF7FFFFF} <= set(shown)


@pytest.mark.parametrize("pe", ALL, ids=lambda pe: pe.format)
def test_the_machine_knows_the_latency_of_the_circuit(pe):
    assert (circuit.Finish if pe.exact else floats.Finish).latency == pe.finish_latency


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"format": "int8"}, "unknown format of lmul 'int8'"),
        ({"lanes": 0}, "lmul: lanes is 0, it must be at least 1"),
        ({"group": 0}, "lmul: group is 0, it must be at least 1"),
    ],
)
def test_descriptions_refuse(parameters, message):
    with pytest.raises(InputError, match=message):
        processing_elements.get("lmul", **parameters)


def test_other_operands_are_refused():
    with pytest.raises(InputError, match="lmul multiplies e4m3 by e4m3, not e5m2 by e4m3"):
        Lmul().mode("e5m2", "e4m3")


@pytest.mark.slow
def test_a_wrong_constant_is_caught(monkeypatch):
    monkeypatch.setattr(Lmul, "variants", lambda: ({"lanes": 1},))
    right = circuit.constant
    monkeypatch.setattr(circuit, "constant", lambda format: right(format) + 1)
    assert all(result["failures"] for result in verification.verify("lmul", seed=5))
