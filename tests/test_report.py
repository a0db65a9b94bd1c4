"""Reports: words for numbers, pages that need nothing from elsewhere, plots, and the demo without its circuit."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from dyad.analysis import cli, demo, pages, plots, report, story
from dyad.analysis.units import numeric, scaled
from dyad.hw import engine
from dyad.models import accelerator, networks
from dyad.models.network import Network, gemm
from dyad.models.program import interpret
from dyad.sim.machine import Machine
from dyad.sim.simulate import simulate

EDGE = accelerator.load("edge")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.00 J"),
        (1, "1.00 J"),
        (0.00562437, "5.62 mJ"),
        (999.6, "1.00 kJ"),
        (999.4, "999 J"),
        (-4.3e-6, "-4.30 µJ"),
    ],
)
def test_scaled(value, text):
    assert scaled(value, "J") == text


@pytest.mark.parametrize(
    ("cells", "is_numeric"),
    [
        (["1", "-2.5", "1,234", "12%", "5.62 ms", "8 GB/s", "1e+06", ""], True),
        (["1", "int4"], False),
        (["0.5.10"], False),
        (["4 x 4"], False),
        (["5.62 ms, 3 cycles"], False),
    ],
)
def test_numeric(cells, is_numeric):
    assert numeric(cells) is is_numeric


class Page(HTMLParser):
    """Reads a page: what it refers to, its tables, its text, and whether its elements are closed."""

    VOID = frozenset({"meta"})

    def __init__(self, text):
        super().__init__()
        self.open, self.references, self.rows, self.words = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        names = ("src", "href", "xlink:href", "srcset", "data", "action")
        self.references += [value for name, value in attributes if name in names]
        assert tag not in ("script", "link", "iframe", "object")
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)


def assert_self_contained(text):
    page = Page(text)
    assert all(reference.startswith(("#", "data:")) for reference in page.references)
    assert not re.search(r"url\((?!#|&quot;#|\"#)|@import", text)
    return page


def test_a_page_escapes_text_and_aligns_numbers():
    text = report.page("a < b", "b > a", [report.table(("name", "value"), [("<&>", 1), ("x", None)])])
    page = Page(text)
    assert page.rows == [["name", "value"], ["<&>", "1"], ["x"]]
    assert "a < b" in page.words
    assert '<td class="number">1</td>' in text
    assert '<td class="number">&lt;' not in text


def test_a_network_page_is_self_contained_and_has_every_layer():
    result = simulate(networks.load("digits-cnn"), EDGE)
    page = assert_self_contained(pages.network_page(result, "dyad simulate digits-cnn"))
    for one in result.layers:
        assert any(row[0] == one.layer.name and f"{one.run.cycles:,}" in row for row in page.rows)
    text = " ".join(page.words)
    assert result.energy_from in text
    assert "dyad simulate digits-cnn" in text
    assert "Units run decoupled" in text


def test_figures_are_the_same_each_time():
    result = simulate(networks.load("digits-cnn"), EDGE)
    for plot in (plots.cycles, plots.energy, lambda one: plots.roofline([one])):
        assert plots.svg(plot(result)) == plots.svg(plot(result))


def test_long_timelines_join_what_the_eye_cannot_part():
    spans = np.array([[0, 10], [10, 20], [21, 30], [50, 60]])
    assert plots._merged(spans, 1).tolist() == [[0, 30], [50, 60]]
    assert plots._merged(spans, 0.5).tolist() == [[0, 20], [21, 30], [50, 60]]
    result = simulate(Network("long", (gemm("long", 30000, 200, 200),)), EDGE)
    assert len(result.layers[0].run.spans) > plots.DISTINCT
    assert len(plots.svg(plots.timeline(result.layers[0].run))) < 300_000


def circuit(jobs):
    """Run jobs as the circuit should: the golden interpreter's bits in the simulated machine's cycles."""
    runs = []
    for program, memory, _ in jobs:
        result = memory.copy()
        interpret.run(program, result)
        spans, cycles = [], 0
        for layer in program.layers:
            one = Machine(program.accelerator).run(layer)
            spans += [(unit, start + cycles, end + cycles) for unit, start, end in one.spans]
            cycles += one.cycles
        runs.append(engine.RTLRun(result, cycles, spans))
    return runs


@pytest.fixture(scope="module")
def told():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "run", circuit)
        patch.setattr(demo, "LARGE", demo.LARGE[:1])
        return demo.demo(EDGE, seed=3)


def test_demo(told):
    formats = {one.weights: one for one in told.variants}
    assert told.accuracy > 0.97
    assert abs(formats["int4_channel"].accuracy - told.accuracy) < 0.02
    assert formats["int2_channel"].accuracy < formats["int4_channel"].accuracy
    assert formats["int4_channel"].result.cycles < formats["int8_channel"].result.cycles
    assert all(check.equal for check in told.checks)
    for check, variant in zip(told.checks, told.variants, strict=True):
        assert check.prediction == variant.predictions[told.image]
        assert len(check.rtl) == len(variant.network.layers)


def wrong_bit(run):
    run.memory[-1] ^= 1  # past everything that the program writes
    return run


def wrong_result(run):
    run.memory[:] = 0
    return run


def late_layer(run):
    unit, start, end = run.spans[-1]
    return run._replace(spans=[*run.spans[:-1], (unit, start, end + 1)])


@pytest.mark.parametrize(
    ("defect", "bits_equal", "equal"),
    [
        (lambda run: run, True, True),
        (wrong_bit, False, False),
        (wrong_result, False, False),
        (late_layer, True, False),
    ],
)
def test_differences_are_found(told, monkeypatch, defect, bits_equal, equal):
    monkeypatch.setattr(engine, "run", lambda jobs: [defect(run) for run in circuit(jobs)])
    (check,) = demo.check(told.circuit, told.variants[1:2], demo.digits().test_images, told.image)
    assert check.bits_equal is bits_equal
    assert check.equal is equal


@pytest.mark.parametrize("index", range(4))
def test_a_layer_that_differs_from_the_golden_network_is_found(told, monkeypatch, index):
    monkeypatch.setattr(engine, "run", circuit)
    outputs = [output.copy() for output in told.variants[1].outputs]
    outputs[index][told.image] += 1
    (check,) = demo.check(
        told.circuit, [replace(told.variants[1], outputs=outputs)], demo.digits().test_images, told.image
    )
    assert not check.bits_equal


def test_the_demo_s_page_is_self_contained_and_says_where_it_is_from(told):
    page = assert_self_contained(pages.demo_page(told, "dyad demo --seed 3"))
    text = " ".join(page.words)
    for words in ("dyad demo --seed 3", f"numpy {np.__version__}", told.large[0].energy_from):
        assert words in text
    for table in story.tables(told):
        for row in table.rows:
            assert [str(cell) for cell in row if cell is not None] in page.rows


@pytest.mark.parametrize("equal", [True, False])
def test_the_command_tells_and_judges(told, equal, monkeypatch, capsys, tmp_path):
    checks = told.checks if equal else (replace(told.checks[0], bits_equal=False), *told.checks[1:])
    monkeypatch.setattr(demo, "demo", lambda accelerator, seed, progress: replace(told, seed=seed, checks=checks))
    with pytest.raises(SystemExit) as end:
        cli.main(["demo", "--seed", "5", "--json", str(tmp_path / "d.json"), "--html", str(tmp_path / "d.html")])
    assert (end.value.code or 0) == (0 if equal else 1)
    output = capsys.readouterr().out
    assert ("bits DIFFER" in output) is not equal
    assert str(tmp_path / "d.html") in output
    content = json.loads((tmp_path / "d.json").read_text())
    assert content["seed"] == 5
    assert [one["weights"] for one in content["variants"]] == list(demo.FORMATS)
    assert [one["bits_equal"] for one in content["crosscheck"]["results"]] == [equal, True, True, True]
    for one, check in zip(content["crosscheck"]["results"], told.checks, strict=True):
        assert one["cycles"] == {"simulator": sum(check.simulator), "rtl": sum(check.rtl)}
    assert content["large"][0]["network"] == "resnet18"
