# amaranth: UnusedElaboratable=no
"""Processing elements of integers whose circuits have no floating point."""

from __future__ import annotations

import re
from dataclasses import fields

import numpy as np
import pytest

from dyad.analysis.cases import prepare, random_cases
from dyad.analysis.crosscheck import check
from dyad.hw import verify as verification
from dyad.hw.bench import Geometry
from dyad.models import accelerator, formats, schema
from dyad.models import pe as processing_elements
from dyad.models.errors import InputError
from dyad.models.network import Layer, gemm
from dyad.models.pe.integer import IntegerPE
from dyad.models.pe.output import FORMATS
from dyad.models.program.reduction import reduction
from dyad.rtl import output
from dyad.rtl import pe as circuits

NAMES = [name for name in processing_elements.names() if isinstance(processing_elements.get(name), IntegerPE)]
QUICK = ("int_mac", "lut")  # lut has a finish station of its own


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_circuit_equals_golden_arithmetic(name, monkeypatch):
    monkeypatch.setattr(processing_elements, "variants", lambda name: ({"integers": True},))
    results = verification.verify(name, seed=11, geometry=Geometry(2, 2, 1))
    assert {result["mode"] for result in results} == {mode.name for mode in processing_elements.get(name).modes}
    for result in results:
        assert result["failures"] == 0, result["examples"]
        assert result["vectors"] > 500


def test_a_wrong_sticky_bit_is_caught(monkeypatch):
    right = output.shift_to_int8

    def wrong(m, number, places):
        return right(m, number[1:].as_signed() << 1, places)

    monkeypatch.setattr(output, "shift_to_int8", wrong)
    monkeypatch.setattr(processing_elements, "variants", lambda name: ({"integers": True},))
    results = verification.verify("int_mac", seed=12, geometry=Geometry(2, 2, 1))
    assert any(result["failures"] for result in results)


@pytest.mark.parametrize("name", NAMES)
def test_the_latency_is_shorter_and_results_are_int8(name):
    pe = processing_elements.get(name, integers=True)
    assert pe.finish_latency < processing_elements.get(name).finish_latency
    assert pe.outputs == ("int8",) and processing_elements.get(name).outputs == FORMATS


def test_sums_are_as_wide_as_activations_need():
    pe = processing_elements.get("int_mac", integers=True)
    total = circuits.stations(pe).sum.members["total"].width
    assert pe.longest(pe.modes[0]) * 128 < 2 ** (total - 1) < 2 ** (pe.accumulator_bits - 1)


@pytest.mark.parametrize("name", ["mixpe", "lut"])
def test_floating_activations_are_refused(name):
    message = f"{name}: activations of fp16 take floating point, integers must be off"
    with pytest.raises(InputError, match=re.escape(message)):
        processing_elements.get(name, activation="fp16", integers=True)


def test_groups_are_refused():
    message = "int_mac: weights in groups take floating point, which circuits with pe.integers lack"
    pe = processing_elements.get("int_mac", integers=True)
    grouped = formats.grouped("int4", 4).quantize(np.ones((8, 2)), axis=0)
    with pytest.raises(InputError, match=message):
        pe.accumulate(np.zeros((1, 8), np.int8), grouped)
    layer = Layer("product", 8, 2, weight="int4", group=4)
    with pytest.raises(InputError, match=message):
        reduction(layer, accelerator.load("icebreaker"))


def test_other_results_are_refused():
    layer = Layer("product", 8, 2, weight="int4", output="fp16")
    with pytest.raises(InputError, match="layer 'product': int_mac gives int8, not fp16"):
        reduction(layer, accelerator.load("icebreaker"))


def test_the_engine_of_integers_agrees():
    machine = accelerator.load("icebreaker")
    cases = [prepare(gemm("product", 5, 12, 3, weight="int4"), machine, 0)]
    cases += random_cases(machine, 12, seed=4, largest=40)
    assert [verdict.report() for verdict in check(cases) if not verdict.agrees] == []


def test_files_know_all_parameters_of_processing_elements():
    known = set(schema._ProcessingElement.model_fields)
    for name in processing_elements.names():
        own = fields(type(processing_elements.get(name)))
        assert {field.name for field in own if field.type in ("int", "str", "bool")} <= known, name
