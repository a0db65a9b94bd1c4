"""Posits against exact rationals and SoftPosit: every value, every boundary, and both neighbours of each."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dyad.models import formats
from dyad.models.errors import InputError
from dyad.models.formats import reference


def test_posit_4_1_is_the_published_table():
    posit = formats.parse("posit(4,1)")
    assert posit.values()[:8].tolist() == [0, 1 / 16, 1 / 4, 1 / 2, 1, 2, 4, 16]
    assert np.isnan(posit.values()[8])
    assert posit.values()[9:].tolist() == [-16, -4, -2, -1, -1 / 2, -1 / 4, -1 / 16]
    assert posit.encode([8, 8.1, -8]).tolist() == [6, 7, 10]  # 8 lies between 4 and 16 on the bit string: to even


@pytest.mark.parametrize("name", ["posit(16,1)", "posit(16,2)", "posit(32,2)"])
def test_decode_is_the_reference(name):
    posit = formats.parse(name)
    codes = np.random.default_rng(2).integers(0, 1 << posit.bits, 20000, dtype=np.uint64).astype(posit.dtype)
    np.testing.assert_array_equal(
        posit.decode(codes), [float(reference.decode(posit, code)) for code in codes.tolist()]
    )


@pytest.mark.parametrize("name", ["posit(4,0)", "posit(6,2)", "posit(8,0)", "posit(8,1)", "posit(8,2)", "posit(16,1)"])
def test_every_boundary(name):
    """The boundary above a code is the posit of one more bit that continues it with a one."""
    posit = formats.parse(name)
    longer = formats.parse(f"posit({posit.bits + 1},{posit.exponent_bits})")
    codes = np.arange(1, posit.largest)
    low, middle, high = posit.decode(codes), longer.decode(2 * codes + 1), posit.decode(codes + 1)
    assert np.all((low < middle) & (middle < high))
    for x, expected in (
        (low, codes),
        (np.nextafter(low, -1), np.where(codes > 1, codes, 1)),
        (np.nextafter(low, 99), codes),
        (np.nextafter(middle, 0), codes),
        (middle, codes + codes % 2),
        (np.nextafter(middle, np.inf), codes + 1),
    ):
        np.testing.assert_array_equal(posit.encode(x), expected)
        np.testing.assert_array_equal(posit.encode(-x), (1 << posit.bits) - expected)
    sample = slice(None, None, max(1, len(codes) // 500))
    expected = [reference.encode(posit, Fraction(x)) for x in middle[sample].tolist()]
    np.testing.assert_array_equal(posit.encode(middle[sample]), expected)


@pytest.mark.parametrize("name", ["posit(8,0)", "posit(16,1)", "posit(32,2)"])
def test_nothing_becomes_zero_or_nar_that_is_not(name):
    posit = formats.parse(name)
    nar = 1 << (posit.bits - 1)
    for dtype in (np.float32, np.float64):
        x = np.array([0.0, -0.0, 1e-38, -1e-38, 1e38, -1e38, np.inf, -np.inf, np.nan], dtype)
        assert posit.encode(x).tolist() == [0, 0, 1, 2 * nar - 1, nar - 1, nar + 1, nar, nar, nar]
        assert posit.encode(np.finfo(dtype).smallest_subnormal) == 1
        assert posit.encode(dtype(1e-38), "toward-zero") == posit.encode(dtype(1e-38), "down") == 1


def test_stochastic_rounding_is_on_the_bit_string():
    posit = formats.parse("posit(4,1)")
    codes = posit.encode(np.full(20000, 8.0), "stochastic", seed=3)  # halfway between the strings of 4 and 16
    assert set(codes) == {6, 7}
    assert abs(np.mean(codes == 7) - 0.5) < 0.02


def test_infinity_is_not_a_choice():
    with pytest.raises(InputError, match=r"posit\(8,0\) has no infinity"):
        formats.parse("posit(8,0)").encode(1.0, overflow="infinity")


@pytest.mark.parametrize(
    ("name", "convert"), [("posit(8,0)", "convertDoubleToP8"), ("posit(16,1)", "convertDoubleToP16")]
)
def test_encode_is_softposit(name, convert):
    softposit = pytest.importorskip("softposit", reason="softposit is compiled from source, and optional")
    posit = formats.parse(name)
    step = max(1, posit.largest // 2000)
    codes = np.arange(1, posit.largest, step)
    longer = formats.parse(f"posit({posit.bits + 1},{posit.exponent_bits})")
    points = np.concatenate([posit.decode(codes), longer.decode(2 * codes + 1)])
    points = np.concatenate([points, np.nextafter(points, 0), np.nextafter(points, np.inf)])
    points = np.concatenate([points, -points])
    theirs = [getattr(softposit, convert)(x).v % (1 << posit.bits) for x in points.tolist()]
    np.testing.assert_array_equal(posit.encode(points), theirs)


def test_the_reference_takes_any_rational():
    """Also those whose bits never end: they lie between the boundaries of their codes."""
    posit, longer = formats.parse("posit(8,0)"), formats.parse("posit(9,0)")
    for x in (Fraction(n, d) for n in range(1, 100) for d in (3, 7, 11)):
        code = reference.encode(posit, x)
        if 1 < code < posit.largest:
            assert reference.decode(longer, 2 * code - 1) <= x <= reference.decode(longer, 2 * code + 1)
