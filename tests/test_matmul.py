from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest

from dyad.models import formats
from dyad.models.errors import InputError
from dyad.models.formats import reference
from dyad.models.formats.lmul import lmul
from dyad.models.matmul import matmul
from dyad.models.pe.mixpe import MixPE
from dyad.models.qtensor import QTensor

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


def draw(random, format, shape):
    """Return finite codes, half of them of the greatest and the least magnitudes."""
    values = format.values()
    finite = np.flatnonzero(np.isfinite(values))
    order = finite[np.argsort(np.abs(values[finite]), kind="stable")]
    extremes = np.concatenate([order[:4], order[-4:]])
    return np.where(random.random(shape) < 0.5, random.choice(finite, shape), random.choice(extremes, shape))


def cancelling(random, left, right, k):
    """Return codes of a row and a column whose products cancel but for one, and that one is tiny."""
    half = (k - 1) // 2
    a, w = draw(random, left, half), draw(random, right, half)
    opposite = left.encode(-left.decode(a))
    keep = left.decode(opposite) == -left.decode(a)
    a, opposite = np.where(keep, a, 0), np.where(keep, opposite, 0)
    positive = [np.where(format.values() > 0, format.values(), np.inf).argmin() for format in (left, right)]
    order = random.permutation(2 * half + 1)
    row = np.concatenate([a, opposite, [positive[0]]])[order]
    column = np.concatenate([w, w, [positive[1]]])[order]
    return row[None], column[:, None]


def naive(a, w):
    """Return the exact product of float64 matrices as fractions."""
    rows, columns = [[list(map(Fraction, vector)) for vector in matrix.tolist()] for matrix in (a, w.T)]
    return [[sum(map(Fraction.__mul__, row, column), Fraction()) for column in columns] for row in rows]


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


ADDERS = {"fp32": np.float32, "fp16": np.float16, "bf16": ml_dtypes.bfloat16, "e4m3": ml_dtypes.float8_e4m3fn}


def in_order(order, terms, add):
    if order == "sequential":
        total = terms[0]
        for term in terms[1:]:
            total = add(total, term)
        return total
    while len(terms) > 1:
        pairs = [add(terms[i], terms[i + 1]) for i in range(0, len(terms) - 1, 2)]
        terms = pairs + terms[2 * len(pairs) :]
    return terms[0]


@pytest.mark.parametrize("order", ["sequential", "pairwise"])
@pytest.mark.parametrize("name", ADDERS)
@pytest.mark.parametrize("k", [1, 2, 3, 6, 11, 64])
def test_float_accumulators(name, order, k):
    """The naive loop rounds products and sums with NumPy or ml_dtypes; products of e2m3 are exact in float32."""
    random = np.random.default_rng(k)
    format, kind = formats.parse("e2m3"), ADDERS[name]
    a, w = draw(random, format, (4, k)), draw(random, format, (k, 3))
    if name == "e4m3":
        # ml_dtypes overflows to NaN where dyad saturates.
        a, w = a & 0x2F, w & 0x27
    x, y = format.decode(a).astype(np.float32), format.decode(w).astype(np.float32)
    result = matmul((format, a), (format, w), accumulate=name, order=order)
    for i in range(4):
        for j in range(3):
            terms = [(x[i, t] * y[t, j]).astype(kind) for t in range(k)]
            assert result[i, j] == float(in_order(order, terms, lambda s, t: kind(s + t)))


def test_float_accumulators_overflow():
    a = np.full((1, 4), 240, np.uint8)
    w = a.T.copy()
    assert matmul(("uint8", a), ("uint8", w), "fp16") == np.inf
    assert matmul(("uint8", a), ("uint8", w), "fp16", overflow="saturate") == 65504
    assert matmul(("uint8", a), ("uint8", w), "e4m3") == 448


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize("order", ["sequential", "pairwise"])
@pytest.mark.parametrize("bits", [16, 18, 24, 32])
@pytest.mark.parametrize("name", ["int8", "e4m3"])
def test_integer_accumulators(name, bits, order, overflow):
    """Units of e4m3 products are 2^-18; sums overflow all but 32 bits of int8, and e4m3 products alone do."""
    random = np.random.default_rng(bits)
    format = formats.parse(name)
    unit = 2.0**-9 if name == "e4m3" else 1.0
    a, w = draw(random, format, (3, 50)), draw(random, format, (50, 4))
    x, y = [[[int(v / unit) for v in vector] for vector in matrix] for matrix in (format.decode(a), format.decode(w).T)]
    half = 2 ** (bits - 1)

    def limit(total):
        return (total + half) % (2 * half) - half if overflow == "wrap" else max(-half, min(total, half - 1))

    result = matmul((name, a), (name, w), f"int{bits}", order, overflow)
    for i in range(3):
        for j in range(4):
            terms = [limit(p * q) for p, q in zip(x[i], y[j], strict=True)]
            assert result[i, j] == in_order(order, terms, lambda s, t: limit(s + t)) * unit * unit


BLOCKS = ["mxfp4", "mxfp8_e4m3", "mxfp8_e5m2", "mxint8", "nvfp4", "hif4", "int4_g32", "uint4_g48_z", "bfp(7,16)"]
WHOLE = ["int8_channel", "uint8_channel_z", "int8_tensor", "dfp16"]


@pytest.mark.parametrize("right", [*BLOCKS, *WHOLE])
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


@pytest.mark.parametrize("order", ["sequential", "pairwise"])
@pytest.mark.parametrize("left", ["mxfp4", "mxfp8_e5m2", "int8_tensor"])
@pytest.mark.parametrize("right", BLOCKS)
def test_blocks_are_summed_exactly_and_accumulated_rounded(left, right, order):
    """A term is the exact sum over a part of K in which no scale changes; whole-tensor scales come at the end."""
    random = np.random.default_rng(3)
    left, right = formats.parse(left), formats.parse(right)
    a = left.quantize(random.standard_normal((3, 192)))
    w = right.quantize(random.standard_normal((192, 2)), axis=0)
    outer = 1.0
    for tensor in (a, w):
        if tensor.format.levels[0].extent == "tensor":
            outer = outer * tensor.format.levels[0].scale.decode(tensor.levels[0]).item()
    edges = sorted({edge for format in (left, right) for edge in range(0, 192, format.block or 192)} | {192})
    x, y = a.dequantize(), w.dequantize()
    result = matmul(a, w, "fp32", order)
    for i in range(3):
        for j in range(2):
            sums = [naive(x[i : i + 1, s:e], y[s:e, j : j + 1])[0][0] for s, e in pairwise(edges)]
            terms = [np.float32(float(total / Fraction(outer))) for total in sums]
            assert result[i, j] == float(in_order(order, terms, lambda s, t: s + t)) * outer


def beside_a_tie(factors, bits):
    """Return y such that the product of it and the factors is a bit more than a tie of fp32 that goes down, or None.

    The product has 24 + `bits` bits, too many for float64, which rounds it to that tie.
    """
    half = 2 ** (bits - 1)
    y = (half + 1) * pow(factors, -1, 2 * half) % (2 * half)
    while (factors * y).bit_length() < bits + 24 or factors * y >> bits & 1:
        y += 2 * half
    return y if (factors * y).bit_length() == bits + 24 else None


def assert_rounded_up(result, product):
    below = np.float32(float(product))
    assert Fraction(float(below)) < product
    assert result == np.nextafter(below, np.float32(np.inf))


def test_products_are_rounded_once():
    posit = formats.parse("posit(32,2)")
    x, y = next((x, y) for x in range(2**28 - 1, 0, -2) if (y := beside_a_tie(x, 32)) and y < 2**28)
    a, w = (posit.encode(np.array([[np.ldexp(value, -27)]])) for value in (x, y))
    assert_rounded_up(np.ldexp(matmul((posit, a), (posit, w), "fp32"), 54), x * y)


@pytest.mark.parametrize(("name", "options"), [("int16_g64", {"accumulate": "fp32"}), ("int16_channel", {})])
def test_scaled_sums_are_rounded_once(name, options):
    """Sums of int16 products times two scales: 36 and 11 + 11 bits."""
    scales = next((s, t) for s in range(2047, 1024, -2) for t in range(s, 1024, -2) if beside_a_tie(s * t, 33))
    total = rest = beside_a_tie(scales[0] * scales[1], 33)
    pairs = []
    while rest:
        x = min(32767, rest)
        pairs.append((x, min(32767, rest // x)))
        rest -= x * pairs[-1][1]
    codes = np.array(pairs + [(0, 0)] * (64 - len(pairs)), np.uint16)
    format, fp32 = formats.parse(name), formats.parse("fp32")
    a = QTensor(codes[:, :1].T, format, format.scale.encode([[scales[0]]]), None, 1)
    w = QTensor(codes[:, 1:], format, format.scale.encode([[scales[1]]]), None, 0)
    result = fp32.decode(matmul(a, w, **options, output=fp32))
    assert_rounded_up(result, total * scales[0] * scales[1])


def test_sums_of_blocks_are_rounded_once():
    """2^30 + 2^6 is a tie of fp32, and 2^-32 is lost in float64 beside it."""
    format = formats.parse("mxfp8_e5m2")
    values = np.zeros((1, 32))
    values[0, :3] = [2.0**15, 2.0**3, 2.0**-16]
    codes, scale = format.element.encode(values), np.array([[127]], np.uint8)
    result = matmul(QTensor(codes, format, scale, None, 1), QTensor(codes.T, format, scale, None, 0), "fp32")
    assert_rounded_up(result, 2**30 + 2**6 + Fraction(1, 2**32))


def test_equals_mixpe():
    random = np.random.default_rng(4)
    a = random.integers(-128, 128, (5, 300))
    for name in ("int4_g128", "uint4_g128_z"):
        w = formats.parse(name).quantize(random.standard_normal((300, 7)), axis=0)
        codes = (a & 255).astype(np.uint8)
        assert np.array_equal(matmul(("int8", codes), w, "fp32"), MixPE().accumulate(a, w))


@pytest.mark.parametrize("name", ["e2m1", "e4m3", "e5m2", "bf16"])
def test_lmul(name):
    """L-Mul products, summed exactly and in float32; the bf16 sums span more bits than float64 has."""
    random = np.random.default_rng(6)
    format = formats.parse(name)
    a, w = (format.encode(random.standard_normal(shape)) for shape in ((4, 30), (30, 5)))
    products = format.decode(lmul(format, a[:, :, None], w[None]))
    wanted = [[float(sum(map(Fraction, products[i, :, j].tolist()))) for j in range(5)] for i in range(4)]
    assert matmul((name, a), (name, w), product="lmul").tolist() == wanted
    total = np.zeros((4, 5), np.float32)
    for k in range(30):
        total += products[:, k].astype(np.float32)
    assert np.array_equal(matmul((name, a), (name, w), "fp32", product="lmul"), total)


def test_lmul_of_infinity():
    """Hardware adds the fields of infinity as it does any others; what comes out is NaN, and the other row is not."""
    e5m2, a, w = formats.parse("e5m2"), np.array([[0x7C, 0x3C], [0x3C, 0x3C]]), np.array([[0x3C], [0x3C]])
    wanted = e5m2.decode(lmul(e5m2, a, w.T)).sum(axis=1, keepdims=True)
    assert np.isnan(wanted).tolist() == [[True], [False]]
    assert np.array_equal(matmul((e5m2, a), (e5m2, w), product="lmul"), wanted, equal_nan=True)


def test_lmul_in_blocks():
    random = np.random.default_rng(7)
    format = formats.parse("mxfp6_e3m2")
    a, w = format.quantize(random.standard_normal((2, 64))), format.quantize(random.standard_normal((64, 3)), axis=0)
    products = format.element.decode(lmul(format.element, a.codes[:, :, None], w.codes[None]))
    terms = [
        products[:, 32 * g : 32 * g + 32].sum(axis=1) * a.scale_values[:, g, None] * w.scale_values[g] for g in (0, 1)
    ]
    assert np.array_equal(matmul(a, w, product="lmul"), terms[0] + terms[1])
    assert np.array_equal(
        matmul(a, w, "fp32", product="lmul"), terms[0].astype(np.float32) + terms[1].astype(np.float32)
    )


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
