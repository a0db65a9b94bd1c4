from __future__ import annotations

import re

import numpy as np
import pytest

from dyad.models import formats
from dyad.models.errors import InputError
from dyad.models.formats import reference
from dyad.models.products.matmul import matmul
from dyad.tests.products import cancelling, draw, naive

PAIRS = [
    ("posit(4,1)", "posit(4,1)"),
    ("posit(8,0)", "posit(8,0)"),
    ("posit(16,1)", "posit(16,1)"),
    ("e2m1", "e2m1"),
    ("e4m3", "e4m3"),
    ("e5m2", "e5m2"),
    ("int8", "int8"),
    ("int4", "fp16"),
    ("e2m1", "e4m3"),
    ("bf16", "hif8"),
    ("ternary", "posit(16,1)"),
]


BLOCKS = [
    "mxfp4",
    "mxfp8_e4m3",
    "mxfp8_e5m2",
    "mxint8",
    "nvfp4",
    "hif4",
    "int4_g32",
    "uint4_g48_z",
    "bfp(7,16)",
    "int8_channel",
    "uint8_channel_z",
    "int8_tensor",
    "dfp16",
]


@pytest.mark.parametrize("k", [1, 2, 7, 64, 1024, 4096])
@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_exact_sums(left, right, k):
    """Every path gives the fraction, rounded once: to float64, and to an output that float64 would round twice."""
    random = np.random.default_rng(k)
    left, right = formats.parse(left), formats.parse(right)
    size = 6 if k < 1024 else 2
    cases = [(draw(random, left, (size, k)), draw(random, right, (k, size - 1))), cancelling(random, left, right, k)]
    output = formats.parse("posit(16,1)")
    for a, w in cases:
        wanted = naive(left.decode(a), right.decode(w))
        codes = [[reference.encode(output, value) for value in row] for row in wanted]
        for path in (None, "limbs"):
            result = matmul((left, a), (right, w), path=path)
            assert result.dtype == np.float64
            assert result.tolist() == [[float(value) for value in row] for row in wanted]
            assert not np.signbit(result[result == 0]).any()
        for path in (None, "limbs", "certified"):
            assert matmul((left, a), (right, w), output=output, path=path).tolist() == codes


@pytest.mark.parametrize("name", ["fp32", "tf32", "posit(32,2)"])
def test_exact_sums_of_wide_formats(name):
    random = np.random.default_rng(5)
    format = formats.parse(name)
    a, w = format.encode(random.standard_normal((3, 20))), format.encode(random.standard_normal((20, 4)))
    result = matmul((name, a), (name, w))
    assert result.tolist() == [[float(x) for x in row] for row in naive(format.decode(a), format.decode(w))]


def test_a_tie_of_the_output_is_decided_by_the_last_bit_of_the_sum():
    """1 + 2^-11 lies between two fp16; the sum of the rest is far below what float64 keeps beside it."""
    values = np.array([[1.0, 2.0**-11, 2.0**-60]])
    for last, wanted in ((1.0, 1 + 2.0**-10), (0.0, 1.0), (-1.0, 1.0)):
        a, w = formats.parse("fp32").encode(values), formats.parse("fp32").encode(np.array([[1.0], [1.0], [last]]))
        for path in ("limbs", "certified"):
            code = matmul(("fp32", a), ("fp32", w), output="fp16", path=path)
            assert formats.parse("fp16").decode(code).item() == wanted


@pytest.mark.parametrize("right", BLOCKS)
@pytest.mark.parametrize("left", ["mxfp4", "nvfp4", "int4_g128", "int8_tensor"])
def test_exact_sums_of_quantized_tensors(left, right):
    random = np.random.default_rng(2)
    spread = np.exp(3 * random.standard_normal((3, 192)))
    a = formats.parse(left).quantize(random.standard_normal((3, 192)) * spread)
    w = formats.parse(right).quantize(random.standard_normal((192, 4)), axis=0)
    wanted = naive(a.dequantize(), w.dequantize())
    assert matmul(a, w).tolist() == [[float(x) for x in row] for row in wanted]
    output = formats.parse("bf16")
    codes = matmul(a, w, output=output)
    assert codes.tolist() == [[reference.encode(output, x) for x in row] for row in wanted]
    assert np.array_equal(matmul(a, w, output=output, path="limbs"), codes)


@pytest.mark.parametrize("path", [None, "limbs"])
def test_nan_and_infinity(path):
    """Codes of e5m2: 0x7C infinity, 0x7F NaN, 0x3C one, 0x7B the greatest."""
    one, infinity, nan = 0x3C, 0x7C, 0x7F
    a = np.array([[one, one], [infinity, one], [nan, one], [infinity, 0xFC]])
    w = np.array([[one, 0], [0x7B, one]])
    with np.errstate(invalid="ignore"):
        wanted = np.array([[57345, 1], [np.inf, np.nan], [np.nan, np.nan], [np.nan, np.nan]])
    for left, right, result in ((a, w, wanted), (w.T, a.T, wanted.T)):
        assert np.array_equal(matmul(("e5m2", left), ("e5m2", right), path=path), result, equal_nan=True)
        codes = matmul(("e5m2", left), ("e5m2", right), output="fp32", path=path or "certified")
        assert np.array_equal(formats.parse("fp32").decode(codes), result, equal_nan=True)


def test_nar_and_outputs():
    a = np.array([[0x80, 0x40], [0x40, 0x40]])
    w = np.array([[0x40], [0x40]])
    assert matmul(("posit(8,0)", a), ("posit(8,0)", w), output="posit(8,0)").tolist() == [[0x80], [0x60]]
    assert matmul(("posit(8,0)", a), ("posit(8,0)", w), output="posit(8,0)", path="certified").tolist() == [[128], [96]]
    with pytest.raises(InputError, match="NaN cannot be encoded in e2m1"):
        matmul(("posit(8,0)", a), ("posit(8,0)", w), output="e2m1")
    large = np.full((1, 2), 127, np.uint8)
    assert matmul(("int8", large), ("int8", large.T), output="int8") == 127
    assert formats.parse("e5m2").decode(matmul(("fp16", [[0x7BFF]]), ("fp16", [[0x7BFF]]), output="e5m2")) == np.inf
    saturated = matmul(("fp16", [[0x7BFF]]), ("fp16", [[0x7BFF]]), output="e5m2", overflow="saturate")
    assert formats.parse("e5m2").decode(saturated) == 57344


def test_nothing_to_sum():
    a, w = np.zeros((2, 0), np.uint8), np.zeros((0, 3), np.uint8)
    for accumulate in ("exact", "fp32", "int32"):
        assert np.array_equal(matmul(("int8", a), ("int8", w), accumulate), np.zeros((2, 3)))
    assert np.array_equal(matmul(("posit(16,1)", a), ("posit(16,1)", w), path="limbs"), np.zeros((2, 3)))
    assert np.array_equal(matmul(("e4m3", a), ("e4m3", w), product="lmul"), np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("name", "k", "options", "text"),
    [
        ("e2m1", 1024, {}, r"^float32: K = 1024: sums of e2m1 x e2m1 could reach 147456 units of 2\^-2.*2\^24$"),
        ("posit(8,0)", 1024, {}, r"^float64: .* could reach 2\^34 units of 2\^-12.*2\^53$"),
        ("posit(16,1)", 64, {"output": "posit(16,1)"}, r"^certified: .* 1 of 16 results were left to limbs$"),
        ("posit(16,1)", 64, {}, r"^limbs: .* more than the 2\^53 of float64; 3 x 3 limbs of 23 bits$"),
        ("e4m3", 64, {"accumulate": "fp16"}, r"^fp16 sequential: K = 64: 64 products, each rounded to fp16"),
        ("int8", 64, {"accumulate": "int16"}, r"^int16 at once: K = 64: sums could reach 2\^20 .* int16 holds 32767"),
        ("int8", 64, {"accumulate": "int16", "overflow": "saturate", "order": "pairwise"}, r"^int16 pairwise: K = 64"),
        ("e4m3", 64, {"product": "lmul"}, r"^words: K = 64"),
    ],
)
def test_explanations(name, k, options, text):
    random = np.random.default_rng(8)
    format = formats.parse(name)
    a, w = (format.encode(random.standard_normal(shape)) for shape in ((4, k), (k, 4)))
    # The greatest and the least posits widen the range that occurs to all there is.
    if format.encoding == "posit":
        a[0, :2], w[:2, 0] = [format.largest, 1], [1, format.largest]
        a[0, 2:], w[2:, 0] = 0, 0
    _, plan = matmul((name, a), (name, w), **options, explain=True)
    assert re.search(text, str(plan)), str(plan)


def test_bad_input():
    a, w = np.zeros((2, 8), np.uint8), np.zeros((8, 3), np.uint8)

    def fails(match, left=("int8", a), right=("int8", w), **options):
        with pytest.raises(InputError, match=match):
            matmul(left, right, **options)

    fails(r"a of shape \(2, 8\) does not multiply w of shape \(7, 3\)", right=("int8", w[:7]))
    fails(r"w has shape \(8,\)", right=("int8", w[:, 0]))
    fails("unknown format 'itn8'; did you mean int8", left=("itn8", a))
    fails("code 16 does not fit", left=("e2m1", a + 16))
    fails("unknown order 'pairwse'; did you mean pairwise", order="pairwse")
    fails("unknown product 'lmull'; did you mean lmul", product="lmull")
    fails("unknown format 'fp33'", accumulate="fp33")
    fails("unknown format 'fp33'", output="fp33")
    fails("unknown overflow of an integer accumulator 'wraps'; did you mean wrap", accumulate="int16", overflow="wraps")
    fails("unknown overflow", accumulate="fp16", overflow="wrap")
    fails("int64 has 64 bits", accumulate="int64")
    fails("unknown path 'float16'", path="float16")
    fails("path 'float64' is for exact sums", path="float64", accumulate="fp32")
    fails("certified path needs an output", path="certified")
    high = np.full((8, 8), 0x7F, np.uint8)
    high[0, 0] = 1
    fails(
        r"K = 8: .* could reach 2\^27 units.*float32 product is exact up to 2\^24, here K = 1",
        left=("posit(8,0)", high),
        right=("posit(8,0)", high),
        path="float32",
    )
    fails("int32 cannot sum products of posit", ("posit(16,1)", a), ("posit(16,1)", w), accumulate="int32")
    fails("int32 needs formats of at most 16 bits, not fp32", ("fp32", a), ("fp32", w), accumulate="int32")
    fails("L-Mul takes two floats of the same format, not e4m3 and e5m2", ("e4m3", a), ("e5m2", w), product="lmul")
    fails("L-Mul multiplies floats", product="lmul")
    nan = ("posit(8,0)", np.full((2, 8), 0x80))
    fails("an int32 accumulator cannot hold nan", nan, ("posit(8,0)", w), accumulate="int32")
    fails("exceeds the exponents of float64", ("posit(32,5)", a + 1), ("posit(32,5)", w + 1))
    blocks = formats.parse("int4_g4").quantize(np.ones((2, 8)))
    fails("int32 cannot sum blocks of int4_g4", left=blocks, accumulate="int32")
    fails(
        "w has its int4_g4 scales along axis 1; K is axis 0", right=formats.parse("int4_g4").quantize(np.ones((8, 3)))
    )
    fails(
        "more than one scale to add",
        *[formats.parse("hif4").quantize(np.ones((64, 64)), i) for i in (1, 0)],
        product="lmul",
    )
