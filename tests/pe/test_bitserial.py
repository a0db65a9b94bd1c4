from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from dyad.analysis.cases import with_pe
from dyad.hw import verify as verification
from dyad.models import accelerator
from dyad.models import pe as processing_elements
from dyad.models.errors import InputError
from dyad.models.formats import grouped, scalar
from dyad.models.pe import BitSerial
from dyad.models.qtensor import QTensor
from dyad.rtl.pe import bitserial

ALL = [BitSerial(**parameters) for parameters in ({}, *BitSerial.variants(), {"activation": "uint5", "lanes": 8})]
MODES = [(pe, mode) for pe in ALL for mode in pe.modes]


def limits(name):
    element = scalar(name)
    return int(element.minimum), int(element.maximum) + 1


def binary_products(a, planes, name):
    """The sum of all pairs of planes, one bit at a time: stored weights have no sign, activations may have one."""
    element, total = scalar(name), 0
    for (i, plane), j in product(enumerate(planes), range(element.bits)):
        count = sum(int(bit) & int(number) >> j & 1 for bit, number in zip(plane, a, strict=True))
        total += (-count if element.signed and j == element.bits - 1 else count) << i + j
    return total


@pytest.mark.parametrize(("pe", "mode"), MODES, ids=lambda value: value.name)
def test_planes_make_products(pe, mode):
    """Binary products of all planes come to the sum of products, and what signed weights are stored too large by."""
    random = np.random.default_rng(1)
    low, high = limits(mode.weight)
    for _ in range(10):
        a = random.integers(*limits(mode.activation), (1, 16))
        q = random.integers(low, high, (16, 1))
        planes = pe.planes(q, mode)[:, :, 0]
        assert len(planes) == mode.planes == mode.interval // scalar(mode.activation).bits
        assert binary_products(a[0], planes, mode.activation) + low * a.sum() == pe.dot(a, q, mode).item()


def test_modes():
    modes = BitSerial(weight_bits=2, activation="int3").modes
    assert [(mode.weight, mode.interval, mode.phases) for mode in modes] == [
        ("int1", 3, 3),
        ("uint1", 3, 3),
        ("int2", 6, 3),
        ("uint2", 6, 3),
    ]
    assert len(BitSerial().modes) == 16
    assert BitSerial().mode("uint3", "int8").interval == 24


@pytest.mark.parametrize(("activation", "bits"), [("int1", 1), ("uint2", 2), ("int3", 4), ("int4", 4), ("uint5", 8)])
def test_activations_are_stored_in_as_few_bits_as_memory_has(activation, bits):
    pe = BitSerial(activation=activation)
    assert pe.activation_bits == bits
    tiny = with_pe(accelerator.load("tiny"), "bitserial", activation=activation)
    assert tiny.row_word == tiny.k * bits / 8


@pytest.mark.parametrize("activation", ["int8", "int3", "uint4"])
@pytest.mark.parametrize("element", ["int1", "int4", "uint3", "uint8"])
def test_accumulate_equals_float64(element, activation):
    random = np.random.default_rng(2)
    form = grouped(element, 32, True)
    codes, points = random.integers(0, 1 << form.element.bits, (64, 3)), random.integers(*limits(element), (2, 3))
    w = QTensor(codes.astype(np.uint8), form, np.full((2, 3), 0x3800), points, 0)
    a = random.integers(*limits(activation), (5, 64))
    result = BitSerial(activation=activation).accumulate(a, w, activation=activation)
    assert np.array_equal(result, a @ (0.5 * (w.integers().astype(float) - np.repeat(points, 32, axis=0))))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weight_bits": 0}, "bitserial: weight_bits is 0, it must be 1..8"),
        ({"weight_bits": 9}, "bitserial: weight_bits is 9, it must be 1..8"),
        ({"activation": "fp16"}, "unknown activation format of bitserial 'fp16'"),
    ],
)
def test_descriptions_refuse(parameters, message):
    with pytest.raises(InputError, match=message):
        processing_elements.get("bitserial", **parameters)


@pytest.mark.slow
def test_the_widest_circuit_equals_golden_arithmetic(monkeypatch):
    monkeypatch.setattr(BitSerial, "variants", lambda: ({"lanes": 4},))
    for result in verification.verify("bitserial", seed=3):
        assert result["failures"] == 0, result["examples"]


@pytest.mark.slow
def test_a_wrong_place_is_caught(monkeypatch):
    monkeypatch.setattr(BitSerial, "variants", lambda: ({"activation": "int2", "weight_bits": 2, "lanes": 4},))
    right = bitserial.by_lines
    monkeypatch.setattr(bitserial, "by_lines", lambda number, lines, places: right(number, lines[::-1], places))
    assert all(result["failures"] for result in verification.verify("bitserial", seed=4) if not result["exhaustive"])


def test_words_of_weights_are_whole_bytes():
    tiny = accelerator.load("tiny")
    with pytest.raises(InputError, match="a tile of n = 4 columns takes 4 bits of weights, not whole bytes"):
        replace(tiny, pe=BitSerial(lanes=1))
