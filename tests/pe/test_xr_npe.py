# amaranth: UnusedElaboratable=no
from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from dyad.hw import verify as verification
from dyad.hw.bench import Geometry
from dyad.hw.simulate import run
from dyad.models import pe as processing_elements
from dyad.models.errors import InputError
from dyad.models.formats import scalar
from dyad.models.pe import XrNpe
from dyad.models.pe.output import rescale
from dyad.models.pe.words import join
from dyad.models.pe.xr_npe import MODES, product_range
from dyad.models.products.matmul import matmul
from dyad.rtl.pe import STEP, xr_npe, xr_npe_narrow

from ..products import cancelling, draw, naive
from .chain import Chain

PE = XrNpe()
by_mode = pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.weight)


def to_odd(exact):
    """Return a fraction as a float of 24 bits, cut off, with the last bit set if something was lost."""
    if exact == 0:
        return 0.0
    unit = Fraction(1)
    while abs(exact) >= unit * 2**24:
        unit *= 2
    while abs(exact) < unit * 2**23:
        unit /= 2
    cut = abs(exact) // unit
    return float((cut | (cut * unit != abs(exact))) * unit * (1 if exact > 0 else -1))


def matrices(random, mode, k, rows=3, columns=2):
    """Return matrices of codes without NaR, of which a row and a column cancel but for one tiny product."""
    left, right = scalar(mode.activation), scalar(mode.weight)
    a, q = draw(random, left, (rows, k)), draw(random, right, (k, columns))
    if k > 2:
        row, column = cancelling(random, left, right, k)
        a[0, : row.shape[1]], a[0, row.shape[1] :] = row[0], 0
        q[: len(column), 0] = column[:, 0]
    return a, q


@by_mode
@pytest.mark.parametrize("k", [1, 2, 9, 64, 301])
def test_sums_are_exact_and_rounded_to_odd(mode, k):
    random = np.random.default_rng(k)
    a, q = matrices(random, mode, k)
    exact = naive(scalar(mode.activation).decode(a), scalar(mode.weight).decode(q))
    expected = [[to_odd(each) for each in row] for row in exact]
    assert PE.dot(a, q, mode).tolist() == expected
    assert PE.dot(np.stack([a, a]), np.stack([q, q]), mode).tolist() == [expected, expected]


@pytest.mark.parametrize("mode", MODES[:3], ids=lambda mode: mode.weight)
def test_nar_makes_nan_of_its_row_and_column(mode):
    a, q = matrices(np.random.default_rng(1), mode, 8)
    nar = scalar(mode.weight).nan
    a[1, 3], q[5, 1] = nar, nar
    assert np.isnan(PE.dot(a, q, mode)).tolist() == [[False, True], [True, True], [False, True]]
    assert np.isnan(PE.dot(a[None], q[None], mode)[0]).tolist() == [[False, True], [True, True], [False, True]]


@pytest.mark.parametrize("output", ["posit(8,0)", "posit(16,1)"])
@by_mode
def test_the_output_stage_rounds_only_once(mode, output):
    """A float32 rounded to nearest would be rounded twice, which shows where sums lie next to ties."""
    random = np.random.default_rng(3)
    left, right = scalar(mode.activation), scalar(mode.weight)
    a, q = draw(random, left, (60, 50)), draw(random, right, (50, 60))
    total = PE.finish(PE.dot(a, q, mode), None, None, None, np.zeros((60, 60), np.float32), mode)
    expected = matmul((left, a), (right, q), output=output)
    assert np.array_equal(rescale(total, 1, 0, False, output), expected)


def test_rounding_to_nearest_on_the_way_would_be_wrong():
    """1 + 2^-13 is a tie of posit(16,1); a product of 2^-40 more decides it, and is far below the last float32 bit."""
    posit, mode = scalar("posit(16,1)"), PE.mode("posit(16,1)", "posit(16,1)")
    a, q = posit.encode([[1.0, 2.0**-7, 2.0**-20]]), posit.encode([[1.0], [2.0**-6], [2.0**-20]])
    total = PE.dot(a, q, mode)
    assert posit.decode(rescale(total, 1, 0, False, "posit(16,1)")).item() == 1 + 2.0**-12
    assert posit.decode(posit.encode(np.float32(1 + 2.0**-13))).item() == 1


@pytest.mark.parametrize("group", [1, 100, 4096])
def test_the_quire_just_holds_a_group(group):
    for mode in MODES:
        largest = product_range(mode).largest * group
        bits = XrNpe(group=group).quire_bits(mode)
        assert largest < 2 ** (bits - 1) <= 2 * largest
    assert XrNpe(group=group).accumulator_bits == XrNpe(group=group).quire_bits(MODES[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: XrNpe(lanes=0), "xr_npe: lanes is 0, it must be at least 1"),
        (lambda: XrNpe(group=0), "xr_npe: group is 0, it must be at least 1"),
        (lambda: XrNpe(modes=()), "xr_npe needs a mode"),
        (lambda: XrNpe(modes=(replace(MODES[0], packing=1),)), "unknown mode of xr_npe"),
        (lambda: PE.mode("posit(8,0)", "e2m1"), "xr_npe multiplies posit.*e2m1 by e2m1, not posit.8,0. by e2m1"),
        (lambda: PE.mode("int4", "int8"), "multiplies posit.*not int4 by int8"),
    ],
)
def test_descriptions_refuse(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_the_machine_knows_the_latency_of_the_circuit():
    assert xr_npe.Finish.latency == PE.finish_latency


class Segment(NamedTuple):
    """Operands [K] of a segment in one mode, and the bits of the total before."""

    mode: int
    a: NDArray[np.integer]
    q: NDArray[np.integer]
    base: int = 0


def alone(mode, random):
    """Return every pair of operands, or of posit(8,0) a tenth of them, alone in each sub-lane."""
    codes, packing = 1 << scalar(MODES[mode].weight).bits, MODES[mode].packing
    pairs = np.stack(np.divmod(np.arange(codes * codes), codes), axis=1)
    if len(pairs) > 256:
        pairs = pairs[random.random(len(pairs)) < 0.1]
    for place in range(packing):
        for pair in pairs:
            a, q = np.zeros((2, packing), np.int64)
            a[place], q[place] = pair
            yield Segment(mode, a, q)


def operands(mode, random, k):
    """Return codes without NaR in which all regimes, or all exponents, are as frequent."""
    format = scalar(MODES[mode].weight)
    width = format.bits - 1
    if format.encoding != "posit":
        return random.integers(0, 1 << format.bits, k)
    body = (random.integers(0, 1 << width, k) | 1 << (width - 1)) >> random.integers(0, width, k)
    body = np.where(random.integers(0, 2, k), body, ~body) & (1 << width) - 1
    return np.where(random.integers(0, 2, k), body, -body) & (1 << format.bits) - 1


def sums(mode, random, count):
    """Return random segments: with bases or without, cancelling, with extremes alone, a few with NaR."""
    format = scalar(MODES[mode].weight)
    extremes = format.encode([format.maximum, format.minimum, format.values()[1], -format.values()[1]])
    for _ in range(count):
        k = int(random.integers(1, 40))
        a, q = operands(mode, random, k), operands(mode, random, k)
        kind = random.random()
        if kind < 0.3:
            order = random.permutation(2 * k)
            a = np.concatenate([a, format.encode(-format.decode(a))])[order]
            q = np.concatenate([q, q])[order]
            a, q = np.append(a, operands(mode, random, 1)), np.append(q, operands(mode, random, 1))
        elif kind < 0.4:
            a, q = random.choice(extremes, (2, k))
        elif kind < 0.43 and format.nan is not None:
            a[random.integers(k)] = format.nan
        base = random.choice([0, random.integers(90 << 23, 170 << 23) | random.integers(2) << 31])
        yield Segment(mode, a, q, int(random.choice([0x7FC00000, 0xFFC00001, 1, 0x80000000]) if kind > 0.97 else base))


def full(mode):
    """Return segments that fill the quire of a mode, up and down, and one that leaves a single unit of it."""
    format = scalar(MODES[mode].weight)
    low, high, least = format.encode([format.minimum, format.maximum, format.values()[1]])
    every = np.full(PE.group, high, np.int64)
    yield from (Segment(mode, every, np.full(PE.group, code, np.int64)) for code in (low, high))
    a = np.concatenate([every[: PE.group // 2 - 1], np.full(PE.group // 2 - 1, low), [least]])
    yield Segment(mode, a, np.concatenate([every[: PE.group - 2], [least]]))


def totals(segments):
    """Return the bits of the totals of segments, by the golden model."""
    found = np.zeros(len(segments), np.uint32)
    for index, (mode, a, q, base) in enumerate(segments):
        total = np.array([[base]], np.uint32).view(np.float32)
        product = PE.dot(a[None], q[:, None], MODES[mode])
        found[index] = PE.finish(product, None, None, None, total, MODES[mode]).view(np.uint32).item()
    return found


def simulate(segments, random, pe=PE):
    """Return the same of the circuit: back to back in random order, with noise in the cycles between steps."""
    words, fields = [], {}
    index_of = {mode: pe.modes.index(each) for mode, each in enumerate(MODES) if each in pe.modes}
    ends = np.zeros(len(segments), np.int64)
    late = pe.prepare_latency + pe.dot_latency
    for index in random.permutation(len(segments)):
        mode, a, q, base = segments[index]
        packing = MODES[mode].packing
        filled = -len(a) % packing
        pairs = [join(np.append(codes, [0] * filled)[None], 16 // packing, packing)[0] for codes in (a, q)]
        steps = list(zip(*(part.tolist() for part in pairs), strict=True))
        for position, (left, right) in enumerate(steps):
            while random.random() < 0.1:
                words.append(int.from_bytes(random.bytes(6), "little") & ~1)
            flags = 1 | (position == 0) << 1 | (position == len(steps) - 1) << 2
            words.append(flags | index_of[mode] << 3 | left << STEP.size | right << STEP.size + 16)
        ends[index] = len(words) - 1 + late
        fields[int(ends[index])] = index_of[mode] | base << 4
    words += [0] * (late + pe.finish_latency)
    offset = STEP.size + 32
    words = [
        word & (1 << offset) - 1 | fields.get(cycle, random.integers(1 << 36)) << offset
        for cycle, word in enumerate(map(int, words))
    ]
    words = [int(word) for word in words]
    seen = run(Chain(pe), "xr_npe_chain", "dyad.tests.stream_bench", {"words": words})["seen"]
    return np.array(seen, np.uint32)[ends + pe.finish_latency]


SOME = {"all": (0, 1, 2, 3), "two_operands": (0,), "one_operand": (1,), "four_operands": (2, 3), "narrow": (0, 2, 3)}
"""Modes that make different circuits together: one multiplier that is regrouped, or one for each product."""


@pytest.mark.parametrize(
    "modes", [pytest.param(modes, id=name, marks=[pytest.mark.slow] * (name != "all")) for name, modes in SOME.items()]
)
def test_circuit_equals_golden_arithmetic_in_one_cell(modes):
    """All products alone, all regimes, sums that cancel and that fill the quire; the mode changes between segments."""
    random = np.random.default_rng(6)
    segments = []
    for mode in modes:
        if scalar(MODES[mode].weight).bits <= 8:
            segments += alone(mode, random)
        segments += [*sums(mode, random, 1500), *full(mode)]
    found = simulate(segments, random, XrNpe(modes=tuple(MODES[mode] for mode in modes)))
    wrong = np.flatnonzero(found != totals(segments))
    assert wrong.size == 0, [segments[index] for index in wrong[:3]]


def test_zeros_that_shifts_leave_alone_are_those_of_the_products():
    """Each bit of the exponent alone, of all pairs of operands: so many zeros there are at least, and no more."""
    for mode, expected in zip((0, 2, 3), ([0, 0, 2, 5], [1, 1, 1, 2], [0, 0, 0]), strict=True):
        assert xr_npe_narrow.zeros_before_shifts((MODES[mode],)) == expected
        values = scalar(MODES[mode].weight).values()
        numbers = np.unique(values[values > 0] / values[values > 0].min()).astype(np.int64)
        width = xr_npe_narrow.WIDTHS[MODES[mode].packing]
        exponents = np.maximum(np.floor(np.log2(numbers)).astype(np.int64) + 1 - width, 0)
        total = np.add.outer(exponents, exponents)
        products = np.multiply.outer(numbers, numbers)
        for bit, zeros in enumerate(expected):
            before = products[total >> bit & 1 == 1] >> (total[total >> bit & 1 == 1] >> bit << bit)
            assert np.all(before % (1 << zeros) == 0)
            assert np.any(before % (2 << zeros))


@pytest.mark.slow
def test_zeros_that_are_not_there_are_caught(monkeypatch):
    monkeypatch.setattr(xr_npe_narrow, "zeros_before_shifts", lambda modes: [0, 0, 3, 5])
    random = np.random.default_rng(8)
    segments = list(alone(0, random))
    wrong = simulate(segments, random, XrNpe(modes=MODES[:1])) != totals(segments)
    assert 0 < wrong.sum() < len(segments) // 8


@pytest.mark.slow
def test_circuit_equals_golden_arithmetic_in_a_tile():
    """The same with two words in a step, and with the output stage behind."""
    results = verification.verify("xr_npe", lanes=2, seed=2, geometry=Geometry(2, 1, 1))
    assert {(result["mode"], result["exhaustive"]) for result in results} == {
        (mode.name, exhaustive) for mode in MODES for exhaustive in (True, False)
    } - {(MODES[1].name, True)}
    for result in results:
        assert result["failures"] == 0, result["examples"]
        assert result["uncovered"] == []


@pytest.mark.slow
def test_circuit_for_one_mode_equals_golden_arithmetic_in_a_tile(monkeypatch):
    """Every pair of operands, and random segments, where each product has a multiplier of its own."""
    monkeypatch.setattr(processing_elements, "variants", lambda name: ({"modes": MODES[:1]},))
    results = verification.verify("xr_npe", seed=3)
    assert [result["exhaustive"] for result in results] == [True, False]
    for result in results:
        assert result["mode"] == MODES[0].name
        assert result["failures"] == 0, result["examples"]
        assert result["uncovered"] == []


def test_a_product_that_reaches_another_sub_lane_is_caught(monkeypatch):
    """Without the mask of partial products, only words with two operands that differ from 0 go wrong."""
    right = xr_npe.multiply
    monkeypatch.setattr(xr_npe, "multiply", lambda m, a, b, wide, quad: right(m, a, b, wide, quad & ~quad))
    random = np.random.default_rng(7)
    singles, many = list(alone(3, random)), list(sums(3, random, 300))
    wrong = simulate(singles + many, random) != totals(singles + many)
    assert not wrong[: len(singles)].any()
    assert wrong[len(singles) :].sum() > 100


def test_the_modes_are_those_of_the_description():
    for mode in MODES:
        only = XrNpe(modes=(mode,))
        assert only.modes == (mode,)
        assert only.accumulator_bits == PE.quire_bits(mode)
    assert processing_elements.get("xr_npe").modes == MODES
