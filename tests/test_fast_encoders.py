"""The fast encoders against the exact one, which test_formats.py compares with the reference."""

from __future__ import annotations

import numpy as np
import pytest

from dyad.models import formats
from dyad.models.errors import InputError
from dyad.models.formats import chunks, codec, fast
from dyad.models.formats.rounding import RULES

BY_TABLE = [
    "int8",
    "uint4",
    "e2m1",
    "e4m3",
    "e5m2",
    "e4m3fnuz",
    "posit(4,1)",
    "posit(8,0)",
    "posit(8,2)",
    "e8m0",
    "hif8",
]
BY_LINES = ["uint8", "int16", "fp16", "bf16", "tf32", "posit(16,1)", "posit(16,3)", "posit(20,2)", "odd16"]
FLOAT32_ONLY = ["fp32", "e8m15", "posit(28,2)", "e4m0b200fn", "e8m3b60"]
EXACT_ONLY = ["posit(8,7)", "posit(16,4)", "posit(32,2)", "e3m1b150"]


def points(format, dtype) -> np.ndarray:
    """Values, the middles between them and neighbours of both; the ends of the input's range; any bits at all."""
    random = np.random.default_rng(5)
    codes = random.integers(0, 1 << format.bits, 3000, dtype=np.uint64)
    values = np.unique(format.decode(np.concatenate([codes, np.minimum(codes + 1, (1 << format.bits) - 1)])))
    values = values[np.isfinite(values)]
    ends = [0.0, 1e-320, 2.0**-149, 1e-40, 2.0**-126, 2.0**-125, 2.0**127, 3.4e38, 3.5e38, 1e300, np.inf]
    x = np.concatenate([values, (values[1:] + values[:-1]) / 2, 1.5 * values, 2 * values, ends])
    bits = np.append(random.integers(0, 1 << 63, 20000, dtype=np.uint64) * 2, np.uint64(2**64 - 1))
    with np.errstate(over="ignore", invalid="ignore"):
        x = x.astype(dtype)
        x = np.concatenate([x, np.nextafter(x, dtype(np.inf)), np.nextafter(x, dtype(0)), bits.view(dtype)])
        return np.concatenate([x, -x])


@pytest.mark.parametrize("name", BY_TABLE + BY_LINES + FLOAT32_ONLY + EXACT_ONLY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rounding", RULES)
def test_they_are_the_exact_encoder(name, dtype, rounding):
    format = formats.scalar(name)
    x = points(format, dtype)
    if format.nan is None:
        x = x[~np.isnan(x)]
    for overflow in {"saturate", "infinity" if format.infinity else "saturate", "nan" if format.nan else "saturate"}:
        beyond = {"saturate": None, "infinity": format.infinity, "nan": format.nan}[overflow]
        with np.errstate(all="ignore"):
            expected = codec.encode(format, x.astype(np.float64), RULES[rounding], beyond)
        # Pieces with infinities, NaN or overflow may take another way than those without.
        for some in (np.isfinite(x) & (np.abs(x) < min(format.maximum, 3e38)), np.isfinite(x), np.ones(x.shape, bool)):
            np.testing.assert_array_equal(format.encode(x[some], rounding, overflow), expected[some], overflow)


@pytest.mark.parametrize(("names", "float32", "float64"), [
    (BY_TABLE, True, True), (BY_LINES, True, True), (FLOAT32_ONLY, True, False), (EXACT_ONLY, False, False),
])  # fmt: skip
def test_which_formats_have_one(names, float32, float64):
    for name in names:
        format = formats.scalar(name)
        for dtype, expected in ((np.float32, float32), (np.float64, float64)):
            encoder = fast.encoder(format, format.rounding, None, np.dtype(dtype))
            assert (encoder is not None) == expected, name


def test_any_layout_and_type():
    e4m3 = formats.scalar("e4m3")
    x = np.random.default_rng(6).standard_normal((3, chunks.SIZE + 5, 2)).astype(np.float32)
    expected = np.array([e4m3.encode(row) for row in x])
    for view in (lambda a: a.T, lambda a: a[:, ::-2], lambda a: a[1], lambda a: a.swapaxes(1, 2), lambda a: a[:, :0]):
        np.testing.assert_array_equal(e4m3.encode(view(x)), view(expected))
        np.testing.assert_array_equal(e4m3.decode(view(expected)), e4m3.values()[view(expected)])
    np.testing.assert_array_equal(
        e4m3.encode(np.broadcast_to(x[0, 0], (7, 2))), np.broadcast_to(expected[0, 0], (7, 2))
    )
    assert e4m3.encode(3).shape == ()
    for dtype in (np.int8, np.int64, np.float16, np.longdouble, bool):
        assert e4m3.encode(np.array([0, 1, 1], dtype)).tolist() == [0, 0x38, 0x38]
    np.testing.assert_array_equal(
        formats.scalar("int16").encode(np.array([-(2**15), 2**31], np.int64)), [0x8000, 0x7FFF]
    )


def test_nan_is_found_in_every_piece():
    x = np.zeros(3 * chunks.SIZE, np.float32)
    for position in (0, chunks.SIZE, len(x) - 1):
        x[position] = np.nan
        assert formats.scalar("e4m3").encode(x)[position] == 0x7F
        with pytest.raises(InputError, match="NaN cannot be encoded in e2m1"):
            formats.scalar("e2m1").encode(x)
        x[position] = 0


@pytest.mark.parametrize("name", ["e4m3", "fp16", "bf16", "tf32", "fp32", "posit(8,0)", "posit(16,1)", "posit(32,2)"])
def test_special_values_alone(name):
    """Beside each other they may all be left to the exact encoder because of one of them."""
    format = formats.scalar(name)
    nans = np.array([0x7FC00000, 0x7F800001, 0xFFC00000, 0xFFFF8001, 0xFFFFFFFF], np.uint32).view(np.float32)
    for nan in [*nans, np.nan, -np.nan]:
        assert format.encode(np.array([nan])) == format.nan, nan
    for x, code in ((np.inf, format.largest), (-np.inf, format.sign + format.largest), (0.0, 0), (1e-45, None)):
        for dtype in (np.float32, np.float64):
            expected = codec.encode(format, np.array([x], dtype).astype(np.float64), RULES["nearest-even"], None)
            assert format.encode(np.array([x], dtype)) == expected
            if format.encoding == "float" and code is not None:
                assert expected == code
