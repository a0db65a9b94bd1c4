"""Traces: JSON that viewers take, tracks without overlap, and times that are the simulator's cycles."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from dyad.models import accelerator, networks
from dyad.models.network import Network, gemm
from dyad.models.program.isa import UNITS
from dyad.sim.simulate import simulate
from dyad.sim.trace import events, text

TINY = accelerator.load("tiny")
LAYERS = (gemm("first", 30, 20, 10), gemm("again", 30, 20, 10), gemm("many", 5, 60, 8, weight="int8", count=3))


@pytest.fixture(scope="module")
def result():
    return simulate(Network("three", LAYERS), TINY)


def complete(result, track=None):
    return [event for event in events(result) if event["ph"] == "X" and track in (None, event["tid"])]


def test_the_text_is_json_with_named_tracks(result):
    trace = json.loads("".join(text(result)))
    assert trace["traceEvents"] == list(events(result))
    names = {event["tid"]: event["args"]["name"] for event in trace["traceEvents"] if event["name"] == "thread_name"}
    assert names == dict(enumerate(["layers", *UNITS]))
    assert {event["tid"] for event in complete(result)} == set(names)


def test_layers_follow_one_another_to_the_last_cycle(result):
    layers = complete(result, track=0)
    assert [event["name"] for event in layers] == ["first", "again", "many"]
    cycles = [one.run.cycles * one.layer.count for one in result.layers]
    scale = 1 / TINY.clock_mhz
    assert [event["dur"] for event in layers] == pytest.approx([count * scale for count in cycles])
    assert [event["ts"] for event in layers] == pytest.approx([0, cycles[0] * scale, sum(cycles[:2]) * scale])
    assert layers[-1]["ts"] + layers[-1]["dur"] == pytest.approx(result.cycles * scale)


def test_instructions_are_drawn_once_for_each_shape(result):
    first, again, many = result.layers
    assert len(complete(result)) == 3 + len(first.run.spans) + len(many.run.spans)
    marks = [event["args"].get("instructions") for event in complete(result, track=0)]
    assert marks == [None, "as in first", None]
    start = first.run.cycles + again.run.cycles
    drawn = [event for event in complete(result) if event["tid"] and event["ts"] >= start / TINY.clock_mhz]
    assert [(event["tid"] - 1, event["ts"], event["dur"]) for event in drawn] == [
        (span.unit, pytest.approx((start + span.start) / 50), pytest.approx((span.end - span.start + 1) / 50))
        for span in many.run.spans
    ]


def test_an_instruction_shows_its_fields(result):
    multiply = complete(result, track=1 + UNITS.index("multiply"))[0]
    assert multiply["name"] == "multiply"
    assert multiply["args"]["first"] == "1"
    assert complete(result, track=1 + UNITS.index("load"))[0]["name"].startswith("load.")


@pytest.mark.parametrize("clock", [50, 333.3, 1700])
def test_nothing_overlaps_on_a_track_whatever_the_clock(clock):
    network = networks.load("resnet18")
    network = replace(network, layers=network.layers[5:8])
    result = simulate(network, replace(accelerator.load("edge"), clock_mhz=clock))
    for track in range(len(UNITS) + 1):
        nanoseconds = [
            (round(event["ts"] * 1000), round((event["ts"] + event["dur"]) * 1000)) for event in complete(result, track)
        ]
        assert nanoseconds
        assert all(end <= start for (_, end), (start, _) in pairwise(nanoseconds))
