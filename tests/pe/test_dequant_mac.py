# amaranth: UnusedElaboratable=no
"""Dequantized weights: rounded as fp16 rounds them, summed in the stated order; what is refused; planted bugs."""

from __future__ import annotations

import numpy as np
import pytest

from dyad.hw import verify as verification
from dyad.hw.bench import Geometry
from dyad.models.errors import InputError
from dyad.models.formats import grouped, scalar
from dyad.models.pe import DequantMac
from dyad.models.qtensor import QTensor
from dyad.rtl.pe import dequant_mac, floats

FP16 = scalar("fp16")


def weights(element, k, n, group, zero_point, random):
    form = grouped(element, group, zero_point)
    codes = random.integers(0, 1 << form.element.bits, (k, n)).astype(np.uint8)
    groups = 1 if group is None else -(-k // group)
    scales = random.integers(0, 0x6C00, (groups, n)) if group else np.ones((1, n), np.int64)
    low, high = int(form.element.minimum), int(form.element.maximum)
    points = random.integers(low, high + 1, (groups, n)) if zero_point else None
    return QTensor(codes, form, scales, points, 0)


def naive(pe, a, w, bias):
    """One float32 at a time."""
    (k, n), size = w.shape, w.format.group or pe.group // pe.lanes * pe.lanes
    totals = np.zeros((len(a), n), np.float32)
    for row, column in np.ndindex(totals.shape):
        total = np.float32(bias[column])
        for start in range(0, k, size):
            stop, index = min(start + size, k), start // size if w.format.group else 0
            scale = np.float16(w.scale_values[index, column]) if w.format.group else np.float16(1)
            point = 0 if w.zero_points is None else w.zero_points[index, column]
            sums = []
            for first in range(start, stop, pe.lanes):
                level = [np.float32(0)] * pe.lanes
                for lane, i in enumerate(range(first, min(first + pe.lanes, stop))):
                    weight = np.float16(w.integers()[i, column] - point) * scale
                    level[lane] = np.float32(FP16.decode(a[row, i])) * np.float32(weight)
                while len(level) > 1:
                    odd = level[len(level) & ~1 :]
                    level = [x + y for x, y in zip(level[::2], level[1::2], strict=False)] + odd
                sums.append(level[0])
            segment = sums[0]
            for step in sums[1:]:
                segment = segment + step
            total = total + segment
        totals[row, column] = total
    return totals


@pytest.mark.parametrize("lanes", [1, 3, 4])
@pytest.mark.parametrize(
    ("element", "group", "zero_point"),
    [("int4", 32, False), ("uint4", 20, True), ("int3", 32, True), ("uint2", None, True), ("int4", None, False)],
)
def test_accumulate_equals_the_naive_sum(element, group, zero_point, lanes):
    random = np.random.default_rng(1)
    pe = DequantMac(lanes=lanes, group=64)
    w = weights(element, 150, 3, group, zero_point, random)
    a = FP16.encode(random.normal(size=(4, 150)) * np.exp(4 * random.normal(size=(4, 150))))
    bias = random.normal(size=3).astype(np.float32)
    result = pe.accumulate(a, w, bias)
    assert np.array_equal(result.view(np.uint32), naive(pe, a, w, bias).view(np.uint32))


def test_every_scale_with_every_difference_is_rounded_as_fp16_does():
    """All finite scales, those whose products are subnormal or need rounding among them."""
    pe, mode = DequantMac(lanes=4), DequantMac(lanes=4).modes[1]
    scales = np.arange(0x7C00)
    form = grouped("uint4", 16, True)
    for point in (0, 7, 15):
        fits = FP16.decode(scales) * 15 < 65520
        n = int(fits.sum())
        w = QTensor(
            np.repeat(np.arange(16, dtype=np.uint8)[:, None], n, axis=1),
            form,
            scales[fits][None],
            np.full((1, n), point),
            0,
        )
        with np.errstate(over="ignore"):
            expected = np.float16(np.arange(16) - point)[:, None] * FP16.decode(scales[fits]).astype(np.float16)
        assert np.array_equal(pe.dequantized(pe.weight_operands(w, mode), mode), expected.astype(np.float32))


@pytest.mark.parametrize(
    ("scale", "code", "message"),
    [
        (0xBC00, 0, "a scale of the weights is -1.0, it must be finite and not negative"),
        (0x7C00, 0, "a scale of the weights is inf, it must be finite"),
        (0x7BFF, 2, "a weight is 131008, which fp16 cannot hold"),
    ],
)
def test_weights_that_are_not_finite_are_refused(scale, code, message):
    w = QTensor(np.full((4, 1), code, np.uint8), grouped("int4", 4), np.array([[scale]]), None, 0)
    with pytest.raises(InputError, match=message):
        DequantMac().accumulate(np.zeros((1, 4), np.uint16), w)


def test_other_operands_are_refused():
    random = np.random.default_rng(2)
    pe, w = DequantMac(), weights("int4", 8, 2, 4, False, random)
    for call, message in (
        (lambda: pe.mode("int8", "fp16"), "multiplies int1..int4 or uint1..uint4 by fp16, not int8 by fp16"),
        (lambda: pe.mode("int4", "int8"), "not int4 by int8"),
        (lambda: pe.accumulate(np.full((1, 8), 0x7C00), w), "an activation is the code 0x7c00 of fp16, not finite"),
        (lambda: pe.accumulate(np.zeros((1, 9), int), w), r"activations of shape \(1, 9\) do not multiply weights of"),
        (lambda: pe.accumulate(np.zeros((1, 8), int), w, np.zeros(3)), r"a bias of shape \(3,\) does not suit 2"),
        (lambda: DequantMac(group=0), "dequant_mac: group is 0, it must be at least 1"),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_the_machine_knows_the_latency_of_the_circuit():
    assert floats.Finish.latency == DequantMac.finish_latency


def planted(monkeypatch):
    return verification.verify("dequant_mac", seed=6, lanes=2, geometry=Geometry(2, 4, 1))


@pytest.mark.slow
def test_a_missing_partial_product_is_caught(monkeypatch):
    right = dequant_mac.total
    monkeypatch.setattr(dequant_mac, "total", lambda m, rows, width: right(m, rows[1:], width))
    assert all(result["failures"] for result in planted(monkeypatch))


@pytest.mark.slow
def test_a_sticky_bit_that_is_lost_is_caught(monkeypatch):
    monkeypatch.setattr(floats, "shift_right", lambda m, word, amount: word >> amount)
    assert all(result["failures"] for result in planted(monkeypatch))
