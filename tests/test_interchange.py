"""Views of codes as ml_dtypes and NumPy arrays, and bit planes."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from dyad.models import formats
from dyad.models.errors import InputError
from dyad.models.formats import interchange, planes


@pytest.mark.parametrize("name", [*interchange.NUMPY, *interchange.ML_DTYPES])
def test_views_have_the_values_and_the_memory(name):
    format = formats.scalar(name)
    codes = np.arange(1 << min(format.bits, 16)).astype(format.dtype)
    array = interchange.to_array(format, codes)
    assert np.shares_memory(array, codes)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        np.testing.assert_array_equal(array.astype(np.float64), format.decode(codes))
    back, same_codes = interchange.from_array(array)
    assert back == format
    assert np.shares_memory(same_codes, codes) and same_codes.dtype == format.dtype


def test_other_names_of_the_same_format():
    codes = np.array([0x3C00], np.uint16)
    assert interchange.to_array(formats.scalar("e5m10"), codes).tolist() == [1.0]
    assert interchange.from_array(np.array([1.5], ml_dtypes.float8_e4m3))[0].name == "e4m3ieee"


def test_bad_arrays():
    with pytest.raises(InputError, match=r"no array type has the codes of posit\(8,0\)"):
        interchange.to_array(formats.scalar("posit(8,0)"), np.zeros(1, np.uint8))
    with pytest.raises(InputError, match="codes of e4m3 are uint8, not int64"):
        interchange.to_array(formats.scalar("e4m3"), np.zeros(1, np.int64))
    with pytest.raises(InputError, match="no format has the codes of complex128"):
        interchange.from_array(np.zeros(1, complex))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_planes_add_up(bits):
    codes = np.arange(1 << bits, dtype=np.uint8).reshape(2, -1)
    parts = planes.split(codes, bits)
    assert parts.shape == (bits, *codes.shape) and parts.dtype == np.int8
    assert set(np.unique(parts)) == {-1, 1}
    np.testing.assert_array_equal(planes.join(parts), 2 * codes.astype(int) - (2**bits - 1))
    np.testing.assert_array_equal(planes.join(parts), formats.scalar(f"odd{bits}").decode(codes))


def test_planes_of_activations():
    """What hardware does: one signed sum for each plane, and the sum of the activations once."""
    random = np.random.default_rng(9)
    activations, weights = random.integers(-128, 128, 64), random.integers(0, 16, 64)
    signed = sum(int(activations @ plane) << i for i, plane in enumerate(planes.split(weights, 4).astype(int)))
    assert (signed + 15 * activations.sum()) // 2 == activations @ weights


@pytest.mark.parametrize(("codes", "bits", "message"), [
    ([16], 4, "code 16 does not fit 4 bit planes"), ([-1], 4, "code -1 does not fit"), ([1], 0, "0 bit planes"),
    ([0.5], 4, "codes of bit planes must be integers, not float64"),
])  # fmt: skip
def test_bad_planes(codes, bits, message):
    with pytest.raises(InputError, match=message):
        planes.split(codes, bits)
