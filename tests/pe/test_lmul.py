from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dyad.hw import verify as verification
from dyad.models import formats
from dyad.models import pe as processing_elements
from dyad.models.errors import InputError
from dyad.models.formats import scalar
from dyad.models.formats.lmul import lmul_reference
from dyad.models.pe import Lmul
from dyad.models.pe import lmul as model
from dyad.rtl.pe import lmul as circuit

ALL = [Lmul(**parameters) for parameters in Lmul.variants()]
each = pytest.mark.parametrize("pe", ALL, ids=lambda pe: pe.format)


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


@each
def test_the_machine_knows_the_latency_of_the_circuit(pe):
    assert circuit.Finish.latency == pe.finish_latency


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
    for name, value in {"M": 2, "DRAIN": 1}.items():
        monkeypatch.setattr(verification, name, value)
    monkeypatch.setattr(Lmul, "variants", lambda: ({"lanes": 1},))
    right = circuit.constant
    monkeypatch.setattr(circuit, "constant", lambda format: right(format) + 1)
    assert all(result["failures"] for result in verification.verify("lmul", seed=5))
