"""L-Mul: every pair of e4m3 codes, the published offsets, and what the paper promises of its accuracy."""

from __future__ import annotations

import numpy as np
import pytest

from dyad.models import formats
from dyad.models.errors import InputError
from dyad.models.formats.lmul import lmul, lmul_reference, offset


@pytest.mark.parametrize("name", ["e4m3", "e2m1", "e5m2", "e3m4", "ue4m3fn"])
def test_every_pair_is_the_reference(name):
    format = formats.scalar(name)
    codes = np.arange(1 << format.bits, dtype=np.uint8)
    products = lmul(format, codes[:, None], codes)
    assert products.dtype == format.dtype
    assert products.tolist() == [[lmul_reference(format, a, b) for b in codes.tolist()] for a in codes.tolist()]


def test_bf16_is_the_reference():
    bf16 = formats.scalar("bf16")
    a, b = np.random.default_rng(7).integers(0, 1 << 16, (2, 20000)).astype(np.uint16)
    assert lmul(bf16, a, b).tolist() == [
        lmul_reference(bf16, *pair) for pair in zip(a.tolist(), b.tolist(), strict=True)
    ]


def test_offsets():
    offsets = {"e4m3": 0x37, "bf16": 0x3F78, "e5m2": 0x3B, "e3m4": 0x2E, "fp16": 0x3BC0}
    assert {name: offset(formats.scalar(name)) for name in offsets} == offsets


def test_worked_examples():
    e4m3 = formats.scalar("e4m3")
    product = lambda a, b: e4m3.decode(lmul(e4m3, e4m3.encode([a]), e4m3.encode([b])))[0]  # noqa: E731
    assert product(1.0, 1.0) == 1.125  # (1 + 0 + 0 + 2^-3)
    assert product(1.25, -1.5) == -1.875  # (1 + 1/4 + 1/2 + 1/8)
    assert product(1.5, 1.5) == 2.25  # a carry: 1/2 + 1/2 + 1/8 = 1 + 1/8, and the 1/8 counts twice
    assert product(0.0, 448.0) == product(2.0**-9, 448.0) == 0
    assert product(2.0**-6, 2.0**-6) == 0
    assert product(448.0, -448.0) == -448


def test_products_are_near_the_true_ones():
    bf16 = formats.scalar("bf16")
    a, b = np.exp(np.random.default_rng(8).uniform(-9, 9, (2, 10000)))
    codes = bf16.encode(a), bf16.encode(b)
    ratio = bf16.decode(lmul(bf16, *codes)) / (bf16.decode(codes[0]) * bf16.decode(codes[1]))
    assert 0.88 < ratio.min() < ratio.max() < 1.07
    assert abs(ratio.mean() - 1) < 0.02


@pytest.mark.parametrize(("name", "message"), [
    ("posit(8,0)", r"L-Mul multiplies floats of at most 16 bits, not posit\(8,0\)"), ("int8", "not int8"),
    ("tf32", "not tf32"), ("e8m0", "not e8m0"),
])  # fmt: skip
def test_other_formats_are_refused(name, message):
    with pytest.raises(InputError, match=message):
        lmul(formats.scalar(name), np.array([1], np.uint8), np.array([1], np.uint8))


def test_codes_are_checked():
    with pytest.raises(InputError, match="code 16 does not fit the 4 bits of e2m1"):
        lmul(formats.scalar("e2m1"), np.array([16]), np.array([1]))
