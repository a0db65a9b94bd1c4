"""The cocotb bench of every processing element: a small tile and its later stages against the golden model.

`dyad.hw.verify` starts it. A driver turns cases into one wide word for each cycle, a monitor records the results, a
model computes them, a checker compares them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from logging import Logger

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge
from numpy.typing import NDArray

from dyad.hw.simulate import exchange
from dyad.models import pe as processing_elements
from dyad.models.formats import scalar
from dyad.models.pe import PE, Mode
from dyad.models.pe.output import POSITS
from dyad.models.pe.words import join

from .cases import bounds, every_pair, few_pairs, random_segments
from .coverage import uncovered
from .model import Cases, Model

VALID, HEADER = 1, 1 << 13
"""Bits of a step."""

Stimulus = dict[str, NDArray[np.int64]]
"""For each field its elements in each cycle."""


class Driver:
    """Lays segments out in time, and drives the stimulus, noise wherever nothing is due.

    A quiet one drives zeros there, and lets segments follow one another in order and without a pause.
    """

    def __init__(self, dut, pe: PE, random: np.random.Generator, quiet: bool = False) -> None:
        self.dut, self.pe, self.random, self.quiet = dut, pe, random, quiet
        self.m, self.n, self.drain = exchange.inputs["geometry"]

    def words(self, batches: list[tuple[Mode, Cases]]) -> tuple[list[int], list[NDArray[np.int64]]]:
        """Return the stimulus of each cycle, and for each batch the cycles [S, m / drain] in which results are drained.

        The segments of all batches come in random order, so that the mode changes between them.
        """
        drains = self.m // self.drain
        cycles = [
            -(-cases.length // (self.pe.lanes * mode.packing)) * mode.interval + mode.header for mode, cases in batches
        ]
        # A segment may end no sooner than the last one is drained; some come back to back, others after a pause.
        lengths = np.maximum(np.concatenate(cycles), drains)
        order = np.arange(len(lengths)) if self.quiet else self.random.permutation(len(lengths))
        ends = np.empty_like(lengths)
        pause = self.random.choice([0] if self.quiet else [0, 0, 0, 1, 3], len(lengths))
        ends[order] = np.cumsum(lengths[order] + pause)
        modes = np.repeat([self.pe.modes.index(mode) for mode, _ in batches], [len(each) for each in cycles])[order]
        self.switches = set(pairwise(modes.tolist()))
        late = self.pe.prepare_latency + self.pe.dot_latency - 1
        stimulus = self._noise(int(ends.max()) + late + drains + sum(exchange.inputs["latencies"]) + 1)
        stimulus["step"][:, 0] &= ~(VALID | HEADER)
        drained = []
        for (mode, cases), part in zip(
            batches, np.split(ends, np.cumsum([len(each) for each in cycles])[:-1]), strict=True
        ):
            self._steps(stimulus, mode, cases, part)
            drained.append(part[:, None] + late + np.arange(drains))
            self._drains(stimulus, mode, cases, drained[-1])
        return list(_pack(stimulus)), drained

    def _steps(self, stimulus: Stimulus, mode: Mode, cases: Cases, ends: NDArray[np.int64]) -> None:
        """Lay out the operands of segments whose last step is in the cycle before `ends`."""
        steps = -(-cases.length // (self.pe.lanes * mode.packing))
        segment = np.repeat(np.arange(len(cases)), steps * mode.interval)
        cycle = np.arange(len(segment)) - np.repeat(np.cumsum(steps * mode.interval), steps * mode.interval)
        clock = ends[segment] + cycle
        index = cycle + (steps * mode.interval)[segment]
        step, (plane, phase) = index // mode.interval, divmod(index % mode.interval, mode.phases)
        number = np.full_like(index, self.pe.modes.index(mode))
        place, within = divmod(step, mode.steps)
        phase = phase + within
        fields = (np.ones_like(index), 0), (index == 0, 1), (cycle == -1, 2), (number, 3), (plane, 7), (phase, 10)
        stimulus["step"][clock, 0] = sum(field.astype(np.int64) << bit for field, bit in fields)
        lanes, packing = self.pe.lanes, mode.packing
        a = join(cases.a, self.pe.activation_bits // packing, packing).reshape(len(cases), self.m, -1, lanes)
        stimulus["activations"][clock] = a[segment, :, mode.row_header + step].reshape(len(clock), -1)
        planes = self.pe.planes(cases.q, mode).swapaxes(2, 3)
        words = join(planes, self.pe.plane_bits // packing, packing).reshape(*planes.shape[:3], -1, lanes)
        stimulus["weights"][clock] = words[plane, segment, :, mode.column_header + place].reshape(len(clock), -1)
        for word in range(mode.header):
            at = ends - steps * mode.interval - mode.header + word
            stimulus["step"][at, 0] = HEADER | self.pe.modes.index(mode) << 3 | word << 7
            if word < mode.row_header:
                stimulus["activations"][at] = a[:, :, word].reshape(len(at), -1)
            if word < mode.column_header:
                stimulus["weights"][at] = words[0, :, :, word].reshape(len(at), -1)

    def _drains(self, stimulus: Stimulus, mode: Mode, cases: Cases, drained: NDArray[np.int64]) -> None:
        """Lay out what the later stages are given in the cycles in which the results are drained."""
        finish_latency, _ = exchange.inputs["latencies"]
        base = cases.base.reshape(*drained.shape, -1)
        for row in range(drained.shape[1]):
            at = drained[:, row]
            stimulus["drain_row"][at, 0] = row
            stimulus["mode"][at, 0] = self.pe.modes.index(mode)
            stimulus["base"][at] = base[:, row]
            for name in ("zero_point", "scale", "scaled"):
                stimulus[name][at] = getattr(cases, name).reshape(len(cases), -1)
            stimulus["floating"][at + finish_latency, 0] = cases.scaled
            for name in ("relu", "multiplier", "shift", "format"):
                stimulus[name][at + finish_latency] = getattr(cases, name).reshape(len(cases), -1)

    def results(self, drained: NDArray, totals: NDArray, values: NDArray) -> dict[str, NDArray[np.uint32]]:
        """Return totals and values of every segment, [S, m, n], from those of every cycle."""
        finish_latency, output_latency = exchange.inputs["latencies"]
        shape = (len(drained), self.m, self.n)
        at = drained + finish_latency
        return {"total": totals[at].reshape(shape), "value": values[at + output_latency].reshape(shape)}

    def _noise(self, cycles: int) -> Stimulus:
        return {
            name: self.random.integers(0, 1 if self.quiet else 1 << bits, (cycles, count))
            for name, (count, bits) in exchange.inputs["fields"].items()
        }


def _pack(stimulus: Stimulus) -> Iterator[int]:
    bits = [
        (stimulus[name][..., None] >> np.arange(width) & 1).astype(np.uint8).reshape(len(stimulus[name]), -1)
        for name, (_, width) in exchange.inputs["fields"].items()
    ]
    for word in np.packbits(np.concatenate(bits, axis=1), axis=1, bitorder="little"):
        yield int.from_bytes(word.tobytes(), "little")


class Monitor:
    """Drives words one a cycle and records what the stages show in the same cycles."""

    def __init__(self, dut) -> None:
        self.dut = dut
        self.m, self.n, self.drain = exchange.inputs["geometry"]

    async def reset(self) -> None:
        """Reset for two cycles."""
        for level in (1, 0):
            await FallingEdge(self.dut.clk)
            await FallingEdge(self.dut.clk)
            self.dut.rst.value = level

    async def record(self, words: list[int]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Return totals and values, [cycles, drain * n]."""
        size = self.drain * self.n * 4
        totals, values = bytearray(), bytearray()
        for word in words:
            await FallingEdge(self.dut.clk)
            totals += int(self.dut.totals.value).to_bytes(size, "little")
            values += int(self.dut.values.value).to_bytes(size, "little")
            self.dut.stimulus.value = word
        shape = len(words), self.drain * self.n
        return np.frombuffer(totals, np.uint32).reshape(shape), np.frombuffer(values, np.uint32).reshape(shape)


class Checker:
    """Compares, counts and puts failures into words."""

    def __init__(self, log: Logger, pe: PE, mode: Mode) -> None:
        self.log, self.mode, self.outputs = log, mode, pe.outputs
        self.headers = [words * pe.lanes * mode.packing for words in (mode.row_header, mode.column_header)]
        self.vectors = self.failures = 0
        self.examples: list[str] = []

    def check(
        self, cases: Cases, seen: dict[str, NDArray[np.uint32]], expected: dict[str, NDArray[np.uint32]]
    ) -> NDArray[np.bool_]:
        """Compare totals and values, each [S, m, n]; a result of which one is wrong has failed.

        Returns which segments have results that failed.
        """
        wrong = {what: seen[what] != expected[what] for what in expected}
        if not set(self.outputs) & set(POSITS):
            # The output stage takes finite totals, unless it was built for posits.
            floating = cases.scaled[:, None, None].astype(bool)
            wrong["value"] &= ~floating | np.isfinite(expected["total"].view(np.float32))
        failed = np.logical_or.reduce([*wrong.values()])
        self.vectors += failed.size
        self.failures += int(failed.sum())
        for s, row, column in np.argwhere(failed)[: 5 - len(self.examples)]:
            at = s, row, column
            what = next(what for what in wrong if wrong[what][at])
            name = self.outputs[cases.format[s]] if what == "value" else "fp32" if cases.scaled[s] else "int32"
            a, w = cases.a[s, row, self.headers[0] :], cases.q[s, self.headers[1] :, column]
            k = np.flatnonzero(a * w)[:8]
            self.examples.append(
                f"{self.mode.name}: {what} {_text(name, seen[what][at])} should be {_text(name, expected[what][at])}; "
                f"row {row}, column {column}, K = {cases.length[s]}, a = {a[k].tolist()}, w = {w[k].tolist()} at "
                f"k = {k.tolist()}"
            )
            self.log.error(self.examples[-1])
        return failed.any(axis=(1, 2))


def _text(name: str, code: np.uint32) -> str:
    """Return a result in words: an int32, or a code of an output format and its value."""
    if name == "int32":
        return str(code.view(np.int32))
    element = scalar(name)
    return f"{float(element.decode(code & (1 << element.bits) - 1)):.9g} ({name} {code:#x})"


@cocotb.test()
async def every_mode(dut) -> None:
    """Run all modes; the results are for the caller to judge."""
    dut._log.info("seed %d", exchange.seed)
    random = np.random.default_rng(exchange.seed)
    pe_name, parameters = exchange.inputs["pe"]
    pe = processing_elements.get(pe_name, **parameters)
    m, n, _ = exchange.inputs["geometry"]
    driver, monitor = Driver(dut, pe, random), Monitor(dut)
    Clock(dut.clk, 2, "step").start()
    dut.rst.value = 0
    exchange.outputs["results"] = results = []
    exchange.outputs["failing"] = failing = []
    replay, brief = exchange.inputs["replay"], exchange.inputs["brief"]
    if replay:
        plans = {False: {pe.modes[index]: [cases] for index, cases in replay}}
    elif brief:
        plans = {
            False: {mode: [random_segments(pe, mode, m, n, segments=20, steps=8, random=random)] for mode in pe.modes}
        }
    else:
        plans = {
            True: {mode: [every_pair(pe, mode, m, n)] for mode in pe.modes if few_pairs(mode)},
            False: {
                mode: [
                    random_segments(pe, mode, m, n, segments=1500 // mode.phases, steps=8, random=random),
                    random_segments(pe, mode, m, n, segments=60 // mode.phases, steps=64, random=random),
                    bounds(pe, mode, m, n),
                ]
                for mode in pe.modes
            },
        }
    for exhaustive, plan in plans.items():
        batches = [(mode, cases) for mode, each in plan.items() for cases in each]
        if not batches:
            continue
        words, drained = driver.words(batches)
        await monitor.record(words[: random.integers(20, 40)])
        await monitor.reset()  # whatever was under way leaves no trace
        shown = await monitor.record(words)
        checkers = {mode: Checker(dut._log, pe, mode) for mode in plan}
        for (mode, cases), at in zip(batches, drained, strict=True):
            failed = checkers[mode].check(cases, driver.results(at, *shown), Model(pe, mode).results(cases))
            if failed.any():
                failing.append((pe.modes.index(mode), cases.take(np.flatnonzero(failed)[:3])))
        results += [
            {
                "pe": pe.name,
                "mode": mode.name,
                "vectors": checker.vectors,
                "failures": checker.failures,
                "exhaustive": exhaustive,
                "examples": checker.examples,
                "uncovered": [] if replay or brief or exhaustive else uncovered(pe, mode, plan[mode], driver.switches),
            }
            for mode, checker in checkers.items()
        ]
    names = [mode.name for mode in pe.modes]
    results.sort(key=lambda result: names.index(str(result["mode"])))
