"""Accumulators against loops over products and blocks, and the places where float64 would round twice."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest

from dyad.models import formats
from dyad.models.formats.lmul import lmul
from dyad.models.pe.mixpe import MixPE
from dyad.models.products.matmul import matmul
from dyad.models.qtensor import QTensor
from dyad.tests.products import draw, in_order, naive

ADDERS = {"fp32": np.float32, "fp16": np.float16, "bf16": ml_dtypes.bfloat16, "e4m3": ml_dtypes.float8_e4m3fn}

BLOCKS = ["mxfp4", "mxfp8_e4m3", "mxfp8_e5m2", "mxint8", "nvfp4", "hif4", "int4_g32", "uint4_g48_z", "bfp(7,16)"]


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
