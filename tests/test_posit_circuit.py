# amaranth: UnusedElaboratable=no
"""Posits as circuits: every code decoded, and every boundary between codes rounded, against the formats."""

from __future__ import annotations

import numpy as np
import pytest

from dyad.hw.simulate import run
from dyad.models.formats import scalar
from dyad.models.pe.output import LATENCY, POSITS, rescale
from dyad.rtl import posit as circuit

from .posit_circuit import ALL, DECODED, FIELDS, Decoders, Rescaler

BENCH = "dyad.tests.stream_bench"


def stream(component, name, words, latency):
    """Return what a circuit makes of each word, `latency` cycles later."""
    words = [int(word) for word in words] + [0] * latency
    return run(component, name, BENCH, {"words": words})["seen"][latency:]


def test_every_code_is_decoded():
    """The exponents are as small as they can be: what the significand holds without one has exponent 0."""
    every = stream(Decoders(), "posit_decoders", range(1 << 16), 1)
    for index, (name, precision) in enumerate(DECODED.items()):
        format = scalar(name)
        values = format.values()
        least = np.abs(values[np.isfinite(values) & (values != 0)]).min()
        seen = np.array([word >> 32 * index & 0xFFFFFFFF for word in every[: 1 << format.bits]])
        significand, exponent, sign, nar = seen & 0xFFFF, seen >> 16 & 0xFF, seen >> 24 & 1, seen >> 25
        assert np.array_equal(nar == 1, np.isnan(values)), name
        number = np.where(sign, -1.0, 1.0) * significand * 2.0**exponent * least
        assert np.array_equal(number[nar == 0], values[nar == 0]), name
        assert significand.max() < 1 << precision, name
        assert (exponent[(nar == 0) & (significand < 1 << (precision - 1))] == 0).all(), name


def words_of(**values):
    """Return stimuli of the output stage."""
    word, low = 0, 0
    for name, bits in FIELDS.items():
        word = word + (np.asarray(values[name], object) << low)
        low += bits
    return word


def boundaries(name):
    """Return the float32 codes of every value of a posit and of every tie, and of their neighbours."""
    format = scalar(name)
    longer = scalar(f"posit({format.bits + 1},{format.exponent_bits})")
    values = longer.decode(np.arange(1 << longer.bits))
    values = values[np.isfinite(values)].astype(np.float32)
    extremes = np.array([0, -0.0, np.nan, 1e-38, -1e-38, 3e38, -3e38, 1e-45, -1e-45], np.float32)
    return np.concatenate([values, np.nextafter(values, -np.inf), np.nextafter(values, np.inf), extremes])


def rescaled(words):
    return np.array(stream(Rescaler(), "posit_rescaler", words, LATENCY), np.int64)


@pytest.mark.parametrize("name", POSITS)
def test_every_boundary_is_rounded(name):
    accumulator = boundaries(name)
    words = words_of(
        accumulator=accumulator.view(np.uint32), multiplier=1, shift=0, format=ALL.index(name), floating=1, relu=0
    )
    seen = rescaled(words)
    assert np.array_equal(seen, scalar(name).encode(accumulator))


def test_all_output_formats_together():
    random = np.random.default_rng(5)
    count = 20000
    floating, relu = random.integers(0, 2, count), random.integers(0, 2, count)
    format = random.integers(0, len(ALL), count)
    multiplier, shift = random.integers(0, 1 << 16, count), random.integers(0, 64, count)
    near = (random.integers(-40, 40, count) + 127 << 23) | random.integers(0, 1 << 23, count)
    floats = np.where(random.random(count) < 0.03, 0x7FC00000, near | random.integers(0, 2, count) << 31)
    integers = random.integers(-(2**31), 2**31, count) >> random.integers(0, 32, count)
    accumulator = np.where(floating, floats, integers & 0xFFFFFFFF).astype(np.uint32)
    words = words_of(
        accumulator=accumulator, multiplier=multiplier, shift=shift, format=format, floating=floating, relu=relu
    )
    seen = rescaled(words)
    for index, name in enumerate(ALL):
        for is_float, is_relu in np.ndindex(2, 2):
            part = (format == index) & (floating == is_float) & (relu == is_relu)
            given = accumulator[part].view(np.float32 if is_float else np.int32)
            expected = rescale(given, multiplier[part], shift[part], bool(is_relu), name)
            assert np.array_equal(seen[part], expected.view(f"u{expected.itemsize}")), name


def test_a_tie_that_goes_up_is_caught(monkeypatch):
    right = circuit.round_off
    monkeypatch.setattr("dyad.rtl.rounding.round_off", lambda posit, string, *flags: right(posit, string | 1, *flags))
    accumulator = boundaries("posit(8,0)")
    words = words_of(accumulator=accumulator.view(np.uint32), multiplier=1, shift=0, format=3, floating=1, relu=0)
    seen = rescaled(words)
    wrong = seen != scalar("posit(8,0)").encode(accumulator)
    values = np.abs(accumulator[wrong])
    assert len(values) == 2 * 63  # every other tie, on both sides of 0
    assert 1.5 * 2.0**-6 not in values and 2.5 * 2.0**-6 in values
