# amaranth: UnusedElaboratable=no
"""What holds for every processing element: its circuit equals its arithmetic, and one wrong bit is noticed."""

from __future__ import annotations

import pytest
from amaranth.hdl import Module, Value
from amaranth.lib import wiring

from dyad.hw import verify as verification
from dyad.hw.bench import Geometry
from dyad.models import pe as processing_elements
from dyad.rtl import pe as circuits
from dyad.rtl import tile

NAMES = processing_elements.names()


QUICK = ("mixpe", "lut", "xr_npe")
"""The first circuit of these is tried in minutes; all others take an hour."""


def chosen(some: slice, mark: list[pytest.MarkDecorator]):
    """Some variants of each processing element, as parameters of a test."""
    every = ((name, processing_elements.variants(name)[some]) for name in NAMES)
    return [
        pytest.param(name, variants, marks=mark if name in QUICK else [pytest.mark.slow], id=name)
        for name, variants in every
        if variants
    ]


@pytest.mark.parametrize(("name", "variants"), chosen(slice(1), []) + chosen(slice(1, None), [pytest.mark.slow]))
def test_circuit_equals_golden_arithmetic(name, variants, monkeypatch):
    monkeypatch.setattr(processing_elements, "variants", lambda name: variants)
    results = verification.verify(name, seed=9, geometry=Geometry(2, 2, 1))
    for variant in variants:
        for mode in processing_elements.get(name, **variant).modes:
            assert any(result["mode"] == mode.name and not result["exhaustive"] for result in results), mode
    for result in results:
        assert result["failures"] == 0, result["examples"]
        assert result["vectors"] > (200 if result["exhaustive"] else 1000)
        assert result["uncovered"] == []


class Flipped(wiring.Component):
    """A cell that sees the lowest bit of its row's operand flipped in one mode."""

    def __init__(self, inner, mode: int) -> None:
        self._inner, self._mode = inner, mode
        super().__init__(inner.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = inner = self._inner
        m.d.comb += [
            inner.step.eq(self.step),
            Value.cast(inner.row).eq(Value.cast(self.row) ^ (self.step.valid & (self.step.mode == self._mode))),
            inner.column.eq(self.column),
            self.result.eq(inner.result),
        ]
        return m


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in NAMES]
)
def test_one_flipped_bit_in_one_mode_is_caught(name, monkeypatch):
    first, *_ = processing_elements.variants(name)
    monkeypatch.setattr(processing_elements, "variants", lambda name: (first,))
    modes = [mode.name for mode in processing_elements.get(name, **first).modes]
    wrong = len(modes) - 1

    def planted(pe):
        honest = circuits.stations(pe)
        return honest._replace(Dot=lambda: Flipped(honest.Dot(), wrong))

    monkeypatch.setattr(tile, "stations", planted)
    results = verification.verify(name, seed=10, geometry=Geometry(2, 2, 1))
    assert {result["mode"] for result in results if result["failures"]} == {modes[wrong]}
