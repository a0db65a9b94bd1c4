from __future__ import annotations

import numpy as np
import pytest

from dyad.models.errors import InputError
from dyad.models.products import exact


def naive(a, b):
    return [[sum(int(x) * int(y) for x, y in zip(row, column, strict=True)) for column in b.T] for row in a]


@pytest.mark.parametrize("largest", [7, 127, 2**12, 2**13, 2**25])
def test_equals_python_integers(largest):
    """2^12 is the last magnitude that fits float32 with one product, 2^25 needs float64 throughout."""
    random = np.random.default_rng(1)
    a, b = random.integers(-largest, largest + 1, (5, 8)), random.integers(-largest, largest + 1, (8, 3))
    assert exact.matmul(a, b).tolist() == naive(a, b)


@pytest.mark.parametrize("power", [12, 13, 26])
def test_the_bound_itself(power):
    """One more than the bound of each type differs from the bound in the last bit of a sum."""
    a = np.array([[2**power, 1]])
    b = np.array([[2**power], [1]])
    assert exact.matmul(a, b).item() == 4**power + 1


def test_int8_minimum_is_not_lost():
    a = np.full((1, 4), -128, np.int8)
    assert exact.matmul(a, a.T).item() == 4 * 128 * 128


def test_stacks_and_empty_matrices():
    a, b = np.ones((3, 2, 5), np.int8), np.ones((3, 5, 4), np.int8)
    assert np.array_equal(exact.matmul(a, b), np.full((3, 2, 4), 5))
    assert np.array_equal(exact.matmul(np.ones((2, 0), np.int8), np.ones((0, 3), np.int8)), np.zeros((2, 3)))


def test_sums_that_are_too_large():
    a = np.array([[2**26, 2**26]])
    with pytest.raises(InputError, match=r"K = 2: sums could reach 9007199388958720.*2\^53"):
        exact.matmul(a, np.array([[2**26], [2**26 - 1 + 2]]))
