from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dyad.models.errors import InputError
from dyad.models.pe.output import LATENCY, dyadic, rescale
from dyad.rtl.output import Output

FLOATS = {"fp16": (np.float16, 11, -24, 65504), "fp32": (np.float32, 24, -149, 2**128 - 2**104)}


def naive(accumulator, multiplier, shift, relu, format_name):
    """The contract in rational arithmetic: value, and whether a zero is negative."""
    exact = Fraction(accumulator) * multiplier / 2**shift
    if relu and accumulator <= 0:
        return 0.0, False
    if format_name == "int8":
        return float(max(-128, min(127, round(exact)))), False
    _, precision, quantum, largest = FLOATS[format_name]
    magnitude, unit = abs(exact), Fraction(2) ** quantum
    while magnitude >= unit * 2**precision:
        unit *= 2
    rounded = round(magnitude / unit) * unit  # Python rounds a Fraction to nearest even
    value = float(rounded) if rounded <= largest else float("inf")
    return (-value if accumulator < 0 else value), accumulator < 0


@pytest.mark.parametrize("format_name", ["int8", "fp16", "fp32"])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_rescale_equals_rational_arithmetic(dtype, relu, format_name):
    random = np.random.default_rng(2)
    integers = random.integers(-(2**31), 2**31, (40, 8)) >> random.integers(0, 32, (40, 8))
    integers[0] = [0, 1, -1, 2**31 - 1, -(2**31), 255, -255, 3]
    accumulator = integers.astype(dtype)
    if dtype is np.float32:
        accumulator = np.ldexp(accumulator, random.integers(-70, 20, accumulator.shape)).astype(np.float32)
    multiplier = random.choice([0, 1, 32768, 65535, *random.integers(0, 65536, 4)], 8)
    shift = random.choice([0, 1, 15, 16, 31, 63, 24, 40], 8, replace=False)
    result = rescale(accumulator, multiplier, shift, relu, format_name)
    assert result.dtype == {"int8": np.int8, "fp16": np.float16, "fp32": np.float32}[format_name]
    for at in np.ndindex(accumulator.shape):
        value = accumulator[at].item()
        expected = naive(value, int(multiplier[at[1]]), int(shift[at[1]]), relu, format_name)
        assert (float(result[at]), bool(np.signbit(result[at])) and result[at] == 0) == (
            expected[0],
            expected[1] and expected[0] == 0,
        ), (value, multiplier[at[1]], shift[at[1]])


def test_halves_go_to_even_and_int8_saturates():
    halves = np.arange(-5, 6, 2, dtype=np.int32)[:, None]
    assert rescale(halves, 1, 1, False, "int8").ravel().tolist() == [-2, -2, 0, 0, 2, 2]
    ends = np.array([[-258, -257, -256, 253, 254, 255]], np.int32)
    assert rescale(ends, 1, 1, False, "int8").tolist() == [[-128, -128, -128, 126, 127, 127]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((65536, 0, "int8"), "multiplier 65536 is outside 0..65535"),
        ((1, 64, "int8"), "shift 64 is outside 0..63"),
        ((1, 0, "int9"), "unknown output format 'int9'; did you mean int8"),
    ],
)
def test_rescale_refuses(arguments, message):
    multiplier, shift, format_name = arguments
    with pytest.raises(InputError, match=message):
        rescale(np.zeros((1, 1), np.int32), multiplier, shift, False, format_name)


def test_dyadic_is_the_nearest_of_all():
    random = np.random.default_rng(3)
    real = np.concatenate([2.0 ** random.uniform(-55, 16, 200) * 0.999, [0, 1, 65535, 1 - 2**-18, 2**-63, 2**-70]])
    b, c = dyadic(real)
    assert b.dtype == np.uint16
    assert c.dtype == np.uint8
    for value, multiplier, shift in zip(real, b.tolist(), c.tolist(), strict=True):
        error = abs(Fraction(multiplier, 2**shift) - Fraction(value))
        assert all(
            error <= abs(Fraction(min(65535, max(0, candidate)), 2**other) - Fraction(value))
            for other in range(64)
            for candidate in [round(Fraction(value) * 2**other)]
        )
        assert multiplier >= 32768 or shift in (0, 63)


@pytest.mark.parametrize("real", [-0.5, 65535.5, np.inf, np.nan])
def test_dyadic_refuses(real):
    with pytest.raises(InputError, match=f"scale {real:g} is not b / 2\\^c"):
        dyadic([0.5, real])


def test_circuit_has_the_latency_that_the_machine_assumes():
    assert Output.latency == LATENCY
