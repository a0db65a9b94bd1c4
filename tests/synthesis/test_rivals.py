"""Rivals are compared with, in the same frame, which computes what it is to compute."""

from __future__ import annotations

import json

import numpy as np
import pytest
from amaranth.sim import Simulator

from dyad.hw.synthesis import rivals
from dyad.hw.synthesis.baselines import (
    FloatProduct,
    LookUpAccumulate,
    LookUpTable,
    MultiplyAccumulate,
    PositMultiplyAccumulate,
)
from dyad.models import pe
from dyad.models.formats import scalar
from dyad.models.formats.lmul import lmul
from dyad.models.pe.words import join
from dyad.tests import cells
from dyad.tests.synthesis import published
from dyad.tests.synthesis.surroundings import TINY, needs_yosys


def test_every_processing_element_has_a_rival():
    assert {rival.pe for rival in rivals.RIVALS} == set(pe.names())
    assert len({(rival.pe, rival.name) for rival in rivals.RIVALS}) == len(rivals.RIVALS)


def test_what_multiplies_is_also_among_the_rivals():
    areas = {rival.area_um2 for rival in rivals.RIVALS}
    assert {2649, 4955, 2314} <= areas & set(published.SKY130_UM2.values())


@needs_yosys
@pytest.mark.parametrize(("theirs", "verdict"), [(1, "larger"), (10**6, "smaller")])
def test_comparison_with_rivals_is_computed(synth, tmp_path, monkeypatch, theirs, verdict):
    (rival,) = (each for each in rivals.RIVALS if each.name == "LUT dot-4 W1 x int8 + 32, table outside")
    monkeypatch.setattr(rivals, "RIVALS", (rival._replace(area_um2=theirs),))
    (tmp_path / "tiny.lib").write_text(TINY.replace("library (tiny)", "library (sky130_fd_sc_hd__tiny)"))
    code, output, _ = synth("--liberty", tmp_path / "tiny.lib", "--json", tmp_path / "r.json")
    assert code == 0
    report = json.loads((tmp_path / "r.json").read_text())
    (row,) = report["rivals"]
    assert report["library"] == "sky130_fd_sc_hd__tiny"
    assert (row["pe"], row["rival_area_um2"], row["verdict"]) == ("lut", theirs, verdict)
    assert row["ratio"] == pytest.approx(row["area_um2"] / theirs, abs=1e-3)
    assert row["area_um2"] > 49 * cells.FLIP_FLOP_AREA
    assert f"{verdict}: {rival.why}" in output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--lanes", "4"], "--lanes 4 needs a processing element"),
        (["--fpga", "ecp5"], "--fpga ecp5 needs a processing element"),
        (["--station", "row"], "--station row needs a processing element"),
        ([], "rivals were measured in sky130_fd_sc_hd, not in dyad45; name a processing element"),
        (["--liberty", "LIBRARY"], "rivals were measured in sky130_fd_sc_hd, not in tiny; name a processing element"),
    ],
)
def test_comparison_refuses(synth, tmp_path, monkeypatch, arguments, complaint):
    monkeypatch.delenv("PDK_ROOT", raising=False)
    (tmp_path / "tiny.lib").write_text(TINY)
    arguments = [tmp_path / "tiny.lib" if argument == "LIBRARY" else argument for argument in arguments]
    assert synth(*arguments)[::2] == (2, f"dyad: error: {complaint}\n")


def run(component, cycles, inputs, output):
    """What a component shows in each cycle, given the value of each input in each."""
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    shown = []

    async def bench(context):
        for cycle in range(cycles):
            for name, values in inputs.items():
                context.set(getattr(component, name), int(values[cycle]))
            shown.append(context.get(getattr(component, output)))
            await context.tick()

    simulator.add_testbench(bench)
    simulator.run()
    return shown


@pytest.mark.parametrize(
    ("bits", "recoding", "lanes"),
    [(8, "operator", 1), (4, "operator", 4), (4, "booth", 2), (4, "digits", 4), (2, "ternary", 4)],
)
def test_frame_of_the_comparison_multiplies(bits, recoding, lanes):
    random = np.random.default_rng(1)
    low = 0 if recoding == "digits" else -(1 << bits - 1)
    a, w = random.integers(-128, 128, (40, lanes)), random.integers(low, low + (1 << bits), (40, lanes))
    first = np.arange(40) % 7 == 0
    inputs = {"activation": join(a, 8, lanes)[:, 0], "weight": join(w, bits, lanes)[:, 0], "first": first}
    shown = run(MultiplyAccumulate(bits, 32, recoding, lanes), 43, padded(inputs, 3), "accumulator")[3:]
    # Each digit of MixPE is a number of 9 bits whose sign counts as 2^8.
    own = 256 * 5 * lanes if recoding == "digits" else 256 * lanes if recoding == "ternary" else 0
    products = (a * (w - 10 * (recoding == "digits"))).sum(axis=1) + own
    assert shown == [int(products[index - index % 7 : index + 1].sum()) for index in range(40)]


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "bf16"])
def test_frame_of_the_comparison_multiplies_floats(name):
    format, random = scalar(name), np.random.default_rng(3)
    smallest, largest = 2.0 ** (1 - format.bias), format.maximum
    codes = random.integers(0, 1 << format.bits, (2, 400)).astype(format.dtype)
    codes[:, :200] = format.encode(random.normal(size=(2, 200)) * 2.0 ** random.integers(-4, 5, (2, 200)))
    codes[~np.isfinite(format.decode(codes))] = 0
    inputs = padded(dict(zip("aw", codes.tolist(), strict=True)), 2)
    assert run(FloatProduct(name, False), 402, inputs, "product")[2:] == lmul(format, *codes).tolist()

    a, w = (np.where(abs(values) < smallest, 0, values) for values in format.decode(codes))
    rounded = format.encode(a * w)
    compared = abs(a * w) <= largest
    expected = np.where(abs(format.decode(rounded)) < smallest, 0, rounded)
    shown = np.array(run(FloatProduct(name, True), 402, inputs, "product")[2:])
    tiny = (abs(a * w) < smallest) & (expected != 0)  # rounded up to the least normal number
    assert (compared & ~tiny).sum() > 250
    assert np.array_equal(shown[compared & ~tiny], expected[compared & ~tiny])


def test_frame_of_the_comparison_looks_up():
    random = np.random.default_rng(2)
    element = pe.Lut(weight_bits=4)
    a, q = random.integers(-128, 128, (40, 4)), random.integers(-8, 8, (40, 4))
    made = LookUpTable()
    inputs = {"activation": join(a, 8, 4)[:, 0]}
    tables = run(made, 42, padded(inputs, 2), "table")[2:]
    stored = element.planes(q[:, :, None], element.modes[0])[0, :, :, 0]
    inputs = {"table": [0, *tables], "weight": [*join(stored, 4, 4)[:, 0], 0], "first": [1] * 41}
    shown = run(LookUpAccumulate(4, 32), 43, padded(inputs, 3), "accumulator")[3:]
    halves = (a.sum(axis=1) + a.sum(axis=1) % 2) // 2
    # Each plane is a number of 9 bits whose sign counts as 2^8; products are as `dyad.rtl.pe.lut.Finish` has them.
    expected = (a * (q + 8)).sum(axis=1) - 15 * halves + 15 * 256
    assert shown[:40] == expected.tolist()


@pytest.mark.parametrize("name", ["posit(8,0)", "posit(4,1)", "e2m1"])
def test_frame_of_the_comparison_sums_exactly(name):
    random = np.random.default_rng(3)
    format = scalar(name)
    a, b = random.integers(0, 1 << format.bits, (2, 400))
    values, nar = format.values(), np.zeros(1 << format.bits, bool)
    if format.nan is not None:
        nar[format.nan] = True
        a[nar[a]], b[nar[b]] = 0, 0
        a[random.random(400) < 0.02], b[random.random(400) < 0.02] = format.nan, format.nan
    least = values[values > 0].min()
    integers = np.where(nar, 0, np.nan_to_num(values) / least).astype(np.int64)
    inputs = {"a": a, "b": b, "first": np.arange(400) % 9 == 0}
    both = padded(inputs, 3)
    sums = run(PositMultiplyAccumulate(name, 9), 403, both, "quire")[3:]
    flags = run(PositMultiplyAccumulate(name, 9), 403, both, "nar")[3:]
    for index in range(400):
        start = index - index % 9
        assert flags[index] == (nar[a] | nar[b])[start : index + 1].any()
        assert flags[index] or sums[index] == (integers[a] * integers[b])[start : index + 1].sum()
    assert 20 < sum(flags) < 380 or format.nan is None


def padded(inputs, cycles):
    """Inputs that go on for some cycles with what does not matter."""
    return {name: [*values, *[0] * cycles] for name, values in inputs.items()}
