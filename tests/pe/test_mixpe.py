# amaranth: UnusedElaboratable=no
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dyad.hw import verify as verification
from dyad.hw.bench import Geometry
from dyad.models import pe as processing_elements
from dyad.models.errors import InputError
from dyad.models.formats import grouped, scalar
from dyad.models.pe import MixPE
from dyad.models.qtensor import QTensor
from dyad.rtl.pe import integer, mixpe
from dyad.rtl.tile import Tile


def weights(random, element, k, n, group=None, zero_point=False):
    """Random codes with every scale and zero point that the format allows, not those of a quantizer."""
    form = grouped(element, group, zero_point)
    groups = 1 if group is None else -(-k // group)
    scales = random.integers(0, 0x7C00, (groups, n)) if group else np.ones((1, n), np.int64)
    low, high = int(form.element.minimum), int(form.element.maximum)
    points = random.integers(low, high + 1, (groups, n)) if zero_point else None
    return QTensor(random.integers(0, 1 << form.element.bits, (k, n)).astype(np.uint8), form, scales, points, 0)


def naive(a, w, bias):
    """One element at a time: Python integers within a segment, NumPy float32 scalars between segments."""
    group = w.format.group
    size = group or w.shape[0]
    q, scales = w.integers(), w.scale_values
    result = np.empty((len(a), w.shape[1]), np.float32 if group else np.int32)
    for row, column in np.ndindex(result.shape):
        total = np.float32(bias[column]) if group else int(bias[column])
        k = 0
        while k < w.shape[0]:
            index = k // group if group else 0
            end = min(k + size, (index + 1) * group if group else w.shape[0], w.shape[0])
            zero = 0 if w.zero_points is None else int(w.zero_points[index, column])
            segment = sum(int(a[row, i]) * (int(q[i, column]) - zero) for i in range(k, end))
            total = total + np.float32(float(scales[index, column]) * segment) if group else total + segment
            k = end
        result[row, column] = total
    return result


@pytest.mark.parametrize("zero_point", [False, True])
@pytest.mark.parametrize("element", ["int1", "int3", "int4", "uint2", "uint4", "int5", "int8", "uint6", "uint8"])
def test_accumulate_equals_the_naive_sum(element, zero_point):
    random = np.random.default_rng(4)
    pe = MixPE(lanes=4)
    for m, k, n, group in [(3, 40, 5, None), (2, 70, 3, 32), (1, 70, 1, 12), (2, 5, 2, 64)]:
        w = weights(random, element, k, n, group, zero_point)
        a = random.integers(-128, 128, (m, k)).astype(np.int8)
        bias = random.integers(-(2**20), 2**20, n).astype(np.float32 if group else np.int32)
        result = pe.accumulate(a, w, bias)
        expected = naive(a, w, bias)
        assert result.dtype == expected.dtype
        assert result.view(np.uint32).tolist() == expected.view(np.uint32).tolist()


def test_minus_zero_does_not_survive():
    w = weights(np.random.default_rng(6), "int4", 4, 1, group=4)
    total = MixPE().accumulate(np.zeros((1, 4), np.int8), w, np.array([-0.0], np.float32))
    assert not np.signbit(total).any()


def test_modes():
    pe = MixPE(lanes=4)
    assert [(mode.name, mode.interval) for mode in pe.modes] == [
        ("int4xint8", 1),
        ("uint4xint8", 1),
        ("int8xint8", 2),
        ("uint8xint8", 2),
    ]
    for kind in ("int", "uint"):
        for bits in range(1, 9):
            assert pe.mode(f"{kind}{bits}", "int8").weight == f"{kind}{4 if bits <= 4 else 8}"
    for wrong in ("int9", "e2m1", "fp16"):
        with pytest.raises(InputError, match=f"multiplies int1..int8 or uint1..uint8 by int8, not {wrong} by int8"):
            pe.mode(wrong, "int8")


@pytest.mark.parametrize("mode", MixPE().modes, ids=lambda mode: mode.name)
def test_digits_and_offset_make_the_weight(mode):
    """What the cell multiplies by: two digits of a nibble, each two bits less 2."""
    element = scalar(mode.weight)
    q = np.arange(int(element.minimum), int(element.maximum) + 1)
    planes = MixPE().planes(q, mode).astype(np.int64)
    factors = ((planes & 3) - 2) + 4 * ((planes >> 2) - 2)
    assert np.array_equal(sum(factor << 4 * plane for plane, factor in enumerate(factors)), q + MixPE().offset(mode))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MixPE(lanes=0), "lanes is 0, it must be at least 1"),
        (lambda: MixPE(accumulator_bits=18), "18 bits holds 102 products of int4xint8, not a group of 128"),
        (lambda: processing_elements.get("mixpa"), "unknown processing element 'mixpa'; did you mean mixpe"),
        (lambda: processing_elements.get("mixpe", lane=4), "unknown parameter of mixpe 'lane'; did you mean lanes"),
        (lambda: Tile(MixPE(), 6, 4, 4), "m = 6 rows cannot drain 4 rows at a time"),
    ],
)
def test_descriptions_refuse(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize(
    ("a", "w", "message"),
    [
        ((2, 9), (8, 2, None), r"activations of shape \(2, 9\) do not multiply weights of shape \(8, 2\)"),
        ((1, 70000), (70000, 1, None), "K = 70000 products of uint8 could sum to 2284800000"),
        ((1, 600), (600, 1, 600), "a group of 600 is longer than the 385 products of uint8xint8 that 24 bits hold"),
    ],
)
def test_accumulate_refuses(a, w, message):
    tensor = weights(np.random.default_rng(7), "uint8", *w)
    with pytest.raises(InputError, match=message):
        MixPE(accumulator_bits=24).accumulate(np.zeros(a, np.int8), tensor)


def test_accumulate_refuses_activations_beyond_int8():
    with pytest.raises(InputError, match=r"activation 128 is outside int8, -128..127"):
        MixPE().accumulate(np.array([[128]]), weights(np.random.default_rng(8), "int4", 1, 1))


def test_the_machine_knows_the_latency_of_the_circuit():
    assert integer.Finish.latency == MixPE().finish_latency


def test_the_bench_sees_one_wrong_bit_of_one_weight(monkeypatch):
    """The exhaustive part finds exactly the products of the weight that is wrong."""
    right = mixpe.terms
    monkeypatch.setattr(mixpe, "terms", lambda a, weight, mode: right(a, (weight ^ (weight == 13))[:4], mode))
    results = verification.verify("mixpe", seed=10, lanes=1, geometry=Geometry(2, 4, 1))
    assert all(result["failures"] for result in results)
    first = results[0]
    assert (first["mode"], first["exhaustive"], first["failures"]) == ("int4xint8", True, 255)
    assert "total -512 should be -640" in first["examples"][0]
    assert "a = [-128], w = [5]" in first["examples"][0]
    assert "$enddefinitions" in Path(first["waves"]).read_text()
