# amaranth: UnusedElaboratable=no
from __future__ import annotations

import itertools

import numpy as np
import pytest

from dyad.hw import verify as verification
from dyad.hw.bench import Geometry
from dyad.models import pe as processing_elements
from dyad.models.errors import InputError
from dyad.models.formats import grouped, scalar
from dyad.models.pe import Lut
from dyad.models.pe.fixed import numbers
from dyad.models.qtensor import QTensor
from dyad.rtl.pe import lut

ALL = [Lut(**parameters) for parameters in Lut.variants()] + [
    Lut(lanes=8, weight_bits=8, serial=True),
    Lut(weight_bits=1),
]
MODES = [(pe, mode) for pe in ALL for mode in pe.modes]
EXACT = [(pe, mode) for pe, mode in MODES if not pe.table_bits]
ROUNDED = [(pe, mode) for pe, mode in MODES if pe.table_bits]


def limits(name):
    element = scalar(name)
    if element.encoding == "integer":
        return int(element.minimum), int(element.maximum) + 1
    return 0, 1 << element.bits


def table(a):
    """The 8 entries of four activations, and the bit that they leave out: halves, rounded down, and 0 or 1."""
    whole = [a[3] + sum(-a[i] if index >> i & 1 else a[i] for i in range(3)) for index in range(8)]
    (odd,) = {each % 2 for each in whole}
    return [each // 2 for each in whole], odd


def cell(a, planes):
    """What a cell sums and how many tables were odd, one table, plane and bit at a time."""
    halves = tables = 0
    for k in range(0, len(a), 4):
        entries, odd = table(a[k : k + 4])
        tables += odd
        for position, plane in enumerate(planes):
            bits = plane[k : k + 4]
            entry = entries[bits[0] + 2 * bits[1] + 4 * bits[2]]
            halves += (~entry + 1 - odd if bits[3] else entry) << position
    return halves, tables


@pytest.mark.parametrize(("pe", "mode"), EXACT, ids=lambda value: value.name)
def test_tables_make_products(pe, mode):
    """Stored planes, entries and the bit left out come to the sum of products (paper, section 3)."""
    random = np.random.default_rng(1)
    (low, high), bits = limits(mode.weight), scalar(mode.weight).bits
    for _ in range(50):
        a = random.integers(*limits(mode.activation), (1, 16))
        q = random.integers(low, high, (16, 1))
        stored = pe.planes(q, mode)[:, :, 0].astype(int)
        planes = [part >> bit & 1 for part in stored for bit in range(pe.plane_bits)][:bits]
        values = a[0] if scalar(mode.activation).encoding == "integer" else numbers(a[0], mode.activation)
        halves, odd = cell(values.tolist(), [plane.tolist() for plane in planes])
        total = int(pe.prepare(a, mode)[0])
        assert total == values.sum()
        products = halves + ((1 << bits) - 1) * (total + odd) // 2 + low * total
        if mode.weight == "binary":
            products = 2 * products - total
            assert products == values @ scalar("binary").decode(q[:, 0])
        assert products == pe.dot(a, q, mode).item()


def test_a_table_of_int8_fits_nine_bits():
    entries = [entry for a in itertools.product((-128, -127, 126, 127), repeat=4) for entry in table(a)[0]]
    assert (min(entries), max(entries)) == (-256, 255)


@pytest.mark.parametrize(("pe", "mode"), EXACT, ids=lambda value: value.name)
def test_the_longest_sum_just_fits(pe, mode):
    """With an even magnitude, no product adds more to a cell than half the largest one of +-a and 2^bits - 1."""
    low, high = limits(mode.activation)
    values = np.arange(low, high)
    largest = int(abs(values if low else numbers(values, mode.activation)).max())
    assert largest % 2 == 0
    extreme = largest // 2 * ((1 << scalar(mode.weight).bits) - 1)
    assert pe.longest(mode) * extreme < 2 ** (pe.accumulator_bits - 1) <= (pe.longest(mode) + 1) * extreme
    assert pe.longest(mode) >= pe.group


def test_modes():
    names = [(mode.name, mode.interval) for mode in Lut().modes]
    assert names == [("int4xint8", 1), ("uint4xint8", 1)]
    serial = Lut(serial=True, weight_bits=8)
    assert [mode.interval for mode in serial.modes] == [bits for bits in range(1, 9) for _ in range(2)]
    assert serial.mode("uint3", "int8").name == "uint3xint8"
    assert Lut().mode("int3", "int8").name == "int4xint8"


@pytest.mark.parametrize("serial", [False, True])
@pytest.mark.parametrize("element", ["int1", "int4", "uint3", "uint4"])
def test_accumulate_equals_float64(element, serial):
    random = np.random.default_rng(2)
    form = grouped(element, 32, True)
    low, high = limits(element)
    codes, points = random.integers(0, 1 << form.element.bits, (64, 3)), random.integers(low, high, (2, 3))
    w = QTensor(codes.astype(np.uint8), form, np.full((2, 3), 0x3800), points, 0)
    a = random.integers(-128, 128, (5, 64)).astype(np.int8)
    result = Lut(serial=serial).accumulate(a, w)
    assert np.array_equal(result, a @ (0.5 * (w.integers().astype(float) - np.repeat(points, 32, axis=0))))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"lanes": 6}, "lut: lanes is 6, it must be a multiple of 4"),
        ({"weight_bits": 3}, "lut: weight_bits is 3, it must be 1, 2 or 4"),
        ({"weight_bits": 9, "serial": True}, "lut: weight_bits is 9, it must be 1..8"),
        ({"accumulator_bits": 17}, "17 bits holds 68 products of int4xint8, not a group of 128"),
        ({"activation": "int4"}, "unknown activation format of lut 'int4'"),
        ({"activation": "fp16", "table_bits": 1}, r"lut: table_bits is 1, it must be 0 or 2\.\.16"),
        ({"activation": "int16", "table_bits": 8}, "lut: tables of int16 are exact, table_bits must be 0"),
    ],
)
def test_descriptions_refuse(parameters, message):
    with pytest.raises(InputError, match=message):
        processing_elements.get("lut", **parameters)


def test_a_wrong_selection_is_caught(monkeypatch):
    monkeypatch.setattr(Lut, "variants", lambda: ({"weight_bits": 2},))
    right = lut.select
    monkeypatch.setattr(lut, "select", lambda entries, index: right(entries, index ^ (index == 5)))
    results = verification.verify("lut", seed=6, geometry=Geometry(2, 4, 1))
    assert all(result["failures"] for result in results if not result["exhaustive"])
