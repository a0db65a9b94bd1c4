"""Where one path ends and the next begins, and the arithmetic wider than float64 that the last ones need."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad.models import formats
from dyad.models.errors import InputError
from dyad.models.products import exact, limbs, ranges
from dyad.models.products.operand import operand
from dyad.models.products.ranges import Range

POSIT = formats.parse("posit(16,1)")


@pytest.mark.parametrize(
    ("name", "exponent", "largest"),
    [
        ("posit(4,1)", -4, 2**8),
        ("e2m1", -1, 12),
        ("posit(8,0)", -6, 2**12),
        ("e4m3", -9, 448 * 2**9),
        ("posit(16,1)", -28, 2**56),
        ("fp16", -24, 65504 * 2**24),
        ("int8", 0, 128),
        ("e8m0", -127, 2**254),
    ],
)
def test_ranges_of_formats(name, exponent, largest):
    assert ranges.of(formats.parse(name)) == Range(exponent, largest)


@pytest.mark.parametrize("name", ["int8_channel_z", "int4_g64_z", "hif4", "nvfp4", "mxfp6_e3m2", "int8_tensor"])
def test_ranges_of_operands_contain_their_values(name):
    """Values are as far from 0 as zero points and scales within blocks can take them."""
    values = np.abs(np.random.default_rng(1).standard_normal((4, 128))) * np.exp2(np.arange(128) % 7)
    side = operand(formats.parse(name).quantize(values), 1, "a")
    for found, range in (
        (side.elements(), side.element_range()),
        (side.elements(), side.element_range(observed=True)),
        (side.values(), side.value_range()),
        (side.values(), side.value_range(observed=True)),
    ):
        inner = ranges.span(found)
        assert range.exponent <= inner.exponent
        assert inner.largest << (inner.exponent - range.exponent) <= range.largest


def test_span_and_precision():
    values = np.array([0.75, -40.0, 0.0, np.nan, np.inf])
    assert ranges.span(values) == Range(-2, 160)
    assert ranges.precision(values) == 3
    assert ranges.span(np.zeros(3)) == Range(0, 0)
    assert ranges.span(np.array([2.0**-1000, 2.0**1000])) == Range(-1000, 2**2000)
    assert ranges.of(formats.parse("fp32")) is None


@pytest.mark.parametrize(
    ("name", "longest", "path", "beyond"),
    [
        ("posit(4,1)", 256, "float32", "float64"),
        ("e2m1", 116508, "float32", "float64"),
        ("posit(8,0)", 2**29, "float64", "limbs"),
    ],
)
def test_the_last_k_of_a_path(name, longest, path, beyond):
    range = ranges.of(formats.parse(name))
    assert exact.plan(longest, range, range).path == path
    assert exact.plan(longest + 1, range, range).path == beyond


@pytest.mark.parametrize(("dtype", "power"), [("float32", 12), ("float64", 26)])
def test_the_bound_is_tight(dtype, power):
    """Sums of 2^24 and 2^53 are exact, and one more is lost."""
    a = np.array([[2.0**power, 1.0]], dtype)
    assert (a @ np.array([[2.0**power], [0.0]], dtype)).item() == 4**power
    assert not Range(0, 2 * 4**power + 1).exact_in(dtype)


def test_subnormals_of_a_type_are_not_relied_on():
    assert Range(-126, 1).exact_in(np.float32)
    assert not Range(-127, 1).exact_in(np.float32)
    assert not Range(120, 2**8).exact_in(np.float32)
    assert exact.plan(4, Range(-64, 8), Range(-64, 8)).path == "float64"


def test_plans_that_cannot_be():
    range = ranges.of(POSIT)
    with pytest.raises(InputError, match=r"K = 8: .* could reach 2\^115 units of 2\^-56; one float64 .* here K = 0"):
        exact.plan(8, range, range, path="float64")
    with pytest.raises(InputError, match="certified path needs an output"):
        exact.plan(8, range, range, path="certified")
    # The squares of these values underflow, so that their norms could not bound an error.
    tiny, wide = Range(-600, 2**60), Range(0, 2**60)
    assert exact.plan(8, tiny, wide, rounded=True).path == "limbs"
    with pytest.raises(InputError, match="exceeds the exponents"):
        exact.plan(8, tiny, tiny)


@pytest.mark.parametrize(
    ("k", "bits", "split"),
    [(32768, (57, 57), (3, 3, 19)), (1024, (8, 41), (1, 2, 21)), (1, (40, 5), (1, 1, 48)), (2**30, (8, 8), (1, 1, 11))],
)
def test_splits(k, bits, split):
    a, w = (Range(0, 2**width - 1) for width in bits)
    assert tuple(limbs.split_for(k, a, w)) == split


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=6),
    st.integers(10, 33),
    st.integers(-80, 20),
)
def test_words_are_rounded_once(words, width, exponent):
    value = sum(word << (width * index) for index, word in enumerate(words))
    exact_value = Fraction(value) * Fraction(2) ** exponent
    for odd in (False, True):
        arrays = [np.array([word]) for word in words]
        result = limbs.rounded(arrays, width, Range(exponent, max(1, abs(value))), odd)[0]
        nearest = float(exact_value)
        if not odd or exact_value == Fraction(nearest):
            assert result == nearest
        else:
            assert np.array(result).view(np.int64) & 1
            assert abs(Fraction(float(result)) - exact_value) < abs(Fraction(np.spacing(nearest)))


@settings(max_examples=200, deadline=None)
@given(*[st.floats(-1e100, 1e100, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-100)] * 2)
def test_products_and_sums_to_odd(x, y):
    for function, wanted in (
        (limbs.multiply_to_odd, Fraction(x) * Fraction(y)),
        (limbs.add_to_odd, Fraction(x) + Fraction(y)),
    ):
        result = function(np.array([x]), np.array([y]))
        if wanted == Fraction(float(wanted)):
            assert result[0] == float(wanted)
        else:
            neighbours = [np.nextafter(float(wanted), direction) for direction in (-np.inf, np.inf)]
            odd = [v for v in (float(wanted), *neighbours) if np.array(v).view(np.int64) & 1]
            assert result[0] == min(odd, key=lambda v: abs(Fraction(float(v)) - wanted))


def test_infinities_stay():
    infinity = np.array([np.inf])
    assert limbs.multiply_to_odd(infinity, np.array([-2.0])) == -np.inf
    assert limbs.add_to_odd(infinity, np.array([1.0])) == np.inf
    assert np.isnan(limbs.add_to_odd(infinity, -infinity)[0])


@pytest.mark.parametrize("rows", [1, 40])
def test_certified_leaves_to_limbs_what_it_cannot_decide(rows):
    """Cancelling rows, a few of them or nearly all; every other result is decided by its bound."""
    random = np.random.default_rng(rows)
    a = POSIT.decode(POSIT.encode(random.standard_normal((40, 65))))
    w = POSIT.decode(POSIT.encode(random.standard_normal((65, 1))))
    w[32:64] = w[:32]
    a[:rows, 32:64] = -a[:rows, :32]
    a[:rows, 64], w[64] = 2.0**-28, 2.0**-28
    reach = ranges.of(POSIT)
    codes, undecided = exact.certified(a, w, reach, reach, POSIT.encode)
    assert undecided == rows
    assert codes[:rows, 0].tolist() == [1] * rows
    assert np.array_equal(codes, POSIT.encode(exact.by_limbs(a, w, reach, reach, odd=True)))


def test_the_bound_of_certified_holds():
    """The interval that it rounds contains the exact sum, and is not much wider than it must be."""
    random = np.random.default_rng(9)
    a, w = (POSIT.decode(POSIT.encode(random.standard_normal(shape))) for shape in ((6, 500), (500, 6)))
    ends = []

    def encode(x):
        ends.append(x)
        return np.zeros(x.shape, np.uint16)

    exact.certified(a, w, ranges.of(POSIT), ranges.of(POSIT), encode)
    low, high = ends
    for i in range(6):
        for j in range(6):
            wanted = sum(Fraction(x) * Fraction(y) for x, y in zip(a[i].tolist(), w[:, j].tolist(), strict=True))
            assert Fraction(low[i, j]) < wanted < Fraction(high[i, j])
            least = 500 * 2.0**-53 * (np.abs(a[i]) @ np.abs(w[:, j]))
            assert 2 * least < high[i, j] - low[i, j] < 8 * least
