"""The run of a network as a trace for Perfetto (https://ui.perfetto.dev), in Chrome's Trace Event Format.

A track for the layers, which follow one another as on the accelerator, and one for each unit with its instructions.
Layers of one shape do the same: instructions are drawn in the first instance of the first of them, and the others say
where that is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ..models.program.assembly import assemble
from ..models.program.isa import UNITS, Instruction, unit
from .machine import Run
from .simulate import Result

Event = dict[str, Any]


def text(result: Result) -> Iterator[str]:
    """Yield the JSON text of the trace in pieces."""
    yield '{"displayTimeUnit": "ns", "traceEvents": ['
    separator = "\n"
    for event in events(result):
        yield separator + json.dumps(event)
        separator = ",\n"
    yield "\n]}\n"


def events(result: Result) -> Iterator[Event]:
    """Yield the events of the trace: names of the tracks, then complete events ("X") in microseconds."""
    yield _name("process_name", 0, f"{result.network.name} on {result.accelerator.name}")
    for track, name in enumerate(("layers", *UNITS)):
        yield _name("thread_name", track, name)
    drawn: dict[int, str] = {}
    start = 0
    for one in result.layers:
        layer, end = one.layer, start + one.run.cycles * one.layer.count
        first = drawn.setdefault(id(one.run), layer.name)
        shape = {"m": layer.m, "k": layer.k, "n": layer.n, "weight": layer.weight, "count": layer.count}
        if first != layer.name:
            shape["instructions"] = f"as in {first}"
        yield _complete(result, 0, layer.name, start, end, shape)
        if first == layer.name:
            yield from _instructions(result, one.run, one.program.instructions, start)
        start = end


def _instructions(result: Result, run: Run, program: Sequence[Instruction], start: int) -> Iterator[Event]:
    """Yield the events of one run, which offered its first instruction in cycle `start`."""
    queues = [iter([code for code in program if unit(code) == index]) for index in range(len(UNITS))]
    for span in run.spans:  # those of a unit are in program order
        name, *fields = assemble([next(queues[span.unit])]).split()
        arguments = dict(field.split("=") for field in fields)
        yield _complete(result, span.unit + 1, name, start + span.start, start + span.end + 1, arguments)


def _name(kind: str, track: int, name: str) -> Event:
    return {"ph": "M", "name": kind, "pid": 0, "tid": track, "args": {"name": name}}


def _complete(result: Result, track: int, name: str, start: int, end: int, arguments: dict) -> Event:
    """Return the event from the start of cycle `start` to that of cycle `end`.

    Viewers count in whole nanoseconds. Rounding both ends, and not the duration, leaves neighbours without overlap.
    """
    first, last = (round(cycle * 1000 / result.accelerator.clock_mhz) for cycle in (start, end))
    return {
        "ph": "X",
        "name": name,
        "pid": 0,
        "tid": track,
        "ts": first / 1000,
        "dur": (last - first) / 1000,
        "args": arguments,
    }
