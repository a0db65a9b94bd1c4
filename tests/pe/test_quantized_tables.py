# amaranth: UnusedElaboratable=no
"""Tables of `lut` that are rounded, against the rule told in whole numbers, one table and plane at a time."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from dyad.hw import verify as verification
from dyad.hw.bench import Geometry
from dyad.models.formats import scalar
from dyad.models.pe import Lut
from dyad.models.pe.fixed import fixed_point, numbers
from dyad.models.pe.quantized_tables import exact, largest_entry, rounded, widest
from dyad.rtl.pe import quantized_tables

from .test_lut import ROUNDED, limits

BITS = (2, 3, 8, 11)


def naive(a, bits):
    """The rounded table of four integers and its exponent, the least that will do."""
    sums = [a[3] + sum(-a[i] if index >> i & 1 else a[i] for i in range(3)) for index in range(8)]
    largest, exponent = sum(map(abs, a)), 0
    while round(Fraction(largest, 2**exponent)) > 2 ** (bits - 1) - 1:
        exponent += 1
    return [round(Fraction(each, 2**exponent)) * 2**exponent for each in sums], exponent


@pytest.mark.parametrize("bits", BITS)
def test_tables_are_rounded_by_the_rule(bits):
    random = np.random.default_rng(bits)
    a = random.integers(-(2**41), 2**41, (500, 4)) >> random.integers(0, 42, (500, 4))
    edges = [[2**e * (2**bits - 1) + d, 0, 0, 0] for e in range(20) for d in (-1, 0, 1)]  # where the exponent changes
    a = np.concatenate([a, edges])
    expected = [naive(row, bits)[0] for row in a.tolist()]
    assert rounded(exact(a), bits)[:, 0].tolist() == expected


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("name", [name for name in Lut.activations if scalar(name).encoding != "integer"])
def test_the_widest_exponent_and_entry_are_those_of_the_largest_activations(name, bits):
    largest = fixed_point(name).largest
    tables = [naive([largest] * count + [0] * (4 - count), bits) for count in (1, 2, 3, 4)]
    assert widest(largest, bits) == tables[-1][1]
    entries = [max(map(abs, entries)) / count for count, (entries, _) in enumerate(tables, 1)]
    assert largest_entry(largest, bits) == np.ceil(max(entries))


@pytest.mark.parametrize(("pe", "mode"), ROUNDED, ids=lambda value: value.name)
def test_products_are_those_of_tables_and_err_no_more_than_is_said(pe, mode):
    random = np.random.default_rng(1)
    (low, high), bits = limits(mode.weight), scalar(mode.weight).bits
    for length in (3, 4, 18):
        a = random.integers(*limits(mode.activation), (1, length))
        q = random.integers(low, high, (length, 1))
        values = [*numbers(a[0], mode.activation).tolist(), 0, 0, 0]
        weights = [*(q[:, 0] - low).tolist(), 0, 0, 0]
        planes = total = 0
        bound, point = Fraction(0), int(random.integers(low, high))
        for k in range(0, length, 4):
            entries, exponent = naive(values[k : k + 4], pe.table_bits)
            total += entries[0]
            bound += Fraction(((1 << bits) - 1) * 2**exponent, 2) if exponent else 0
            for plane in range(bits):
                signs = [2 * (weight >> plane & 1) - 1 for weight in weights[k : k + 4]]
                index = sum((sign != signs[3]) << i for i, sign in enumerate(signs[:3]))
                planes += signs[3] * entries[index] << plane
        dot, prepared = pe.dot(a, q, mode).item(), pe.prepare(a, mode).item()
        assert prepared == total
        if mode.weight == "binary":
            assert dot == planes
            products, point = sum(x * (2 * int(w) - 1) for x, w in zip(values, q[:, 0], strict=False)), 0
        else:
            assert dot == Fraction(planes + ((1 << bits) - 1) * total, 2) + low * total
            products = sum(x * (int(w) - point) for x, w in zip(values, q[:, 0], strict=False))
        assert abs(dot - point * prepared - products) <= bound


@pytest.mark.parametrize(
    ("pe", "mode"), [each for each in ROUNDED if each[1].weight != "binary"], ids=lambda value: value.name
)
def test_weights_that_equal_the_zero_point_make_zero(pe, mode):
    a = np.random.default_rng(2).integers(*limits(mode.activation), (5, 32))
    for point in range(*limits(mode.weight)):
        assert not (pe.dot(a, np.full((32, 1), point), mode)[:, 0] - point * pe.prepare(a, mode)).any()


def test_small_sums_are_exact():
    pe = Lut(activation="fp16", weight_bits=2, table_bits=8)
    random = np.random.default_rng(3)
    a, q = random.integers(0, 32, (3, 40)) | random.integers(0, 2, (3, 40)) << 15, random.integers(-2, 2, (40, 5))
    assert np.array_equal(pe.dot(a, q, pe.modes[0]), replace(pe, table_bits=0).dot(a, q, pe.modes[0]))


@pytest.mark.slow
def test_a_rounding_to_away_is_caught(monkeypatch):
    monkeypatch.setattr(Lut, "variants", lambda: ({"activation": "e4m3", "weight_bits": 1, "table_bits": 8},))
    honest = quantized_tables.shift_right
    monkeypatch.setattr(quantized_tables, "shift_right", lambda m, word, amount: honest(m, word, amount) | 1)
    results = verification.verify("lut", seed=6, geometry=Geometry(2, 4, 1))
    assert all(result["failures"] for result in results if not result["exhaustive"])
