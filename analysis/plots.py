"""The plots of the HTML reports. Each function returns a figure; `svg` turns it into text for a page."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, PercentFormatter
from numpy.typing import NDArray

from ..models.program.isa import UNITS
from ..sim.machine import Run
from ..sim.simulate import Result
from .summary import speeds
from .units import prefix, scaled

WIDTH = 9.0
"""Width of a figure in inches; a page scales it to its own."""

INK, PALE = "#22272e", "#d9dee5"
# Paul Tol's bright scheme, which colour-blind readers tell apart.
BLUE, CYAN, GREEN, YELLOW, RED, PURPLE = "#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377"
UNIT_COLOURS = dict(zip(UNITS, (BLUE, GREEN, YELLOW, RED), strict=True))
PART_COLOURS = {
    "cells": GREEN,
    "finish": YELLOW,
    "output": PURPLE,
    "idle": PALE,
    "buffers": CYAN,
    "memory": BLUE,
}

STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": PALE,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",  # letters stay letters: small, sharp, and found by a search in the page
    "svg.hashsalt": "dyad",  # the same figure gives the same text
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def svg(figure: Figure) -> str:
    """Return the figure as an SVG element that refers to nothing outside itself."""
    text = io.StringIO()
    with rc_context(STYLE):
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return text.getvalue()[text.getvalue().index("<svg") :]


@rc_context(STYLE)
def cycles(result: Result) -> Figure:
    """Return bars of the cycles and of the utilization of each layer."""
    figure, (left, right) = _bars(result, 2)
    counts = [one.run.cycles * one.layer.count for one in result.layers]
    shares = [one.utilization for one in result.layers]
    for axes, values, labels in (
        (left, counts, [f"{value:,}" for value in counts]),
        (right, shares, [f"{share:.1%}" for share in shares]),
    ):
        bars = axes.barh(range(len(values)), values, color=BLUE if axes is left else GREEN, height=0.7)
        axes.bar_label(bars, labels, padding=3, fontsize=8)
    left.set(title="cycles", xlim=(0, 1.3 * max(counts)))
    left.xaxis.set_major_formatter(EngFormatter(sep=""))
    right.set(title="utilization of the tile", xlim=(0, 1.15))
    right.xaxis.set_major_formatter(PercentFormatter(1))
    return figure


@rc_context(STYLE)
def energy(result: Result) -> Figure:
    """Return stacked bars of the energy of each layer by part."""
    figure, (axes,) = _bars(result, 1)
    totals = [one.energy.total * one.layer.count * 1e-12 for one in result.layers]
    factor, sign = prefix(max(totals))
    reached = np.zeros(len(totals))
    for part, colour in PART_COLOURS.items():
        values = np.array([getattr(one.energy, part) * one.layer.count for one in result.layers]) * 1e-12 / factor
        axes.barh(range(len(values)), values, left=reached, color=colour, height=0.7, label=part)
        reached += values
    for index, total in enumerate(totals):
        _note(axes, scaled(total, "J"), (reached[index], index), (3, 0), va="center")
    axes.set(xlabel=f"energy / {sign}J", xlim=(0, 1.1 * reached.max()))
    figure.legend(loc="outside upper center", ncols=len(PART_COLOURS))
    return figure


def _bars(result: Result, panels: int) -> tuple[Figure, NDArray]:
    """Return a figure with horizontal bars in mind: a place for each layer, the first on top."""
    names = [one.layer.name + (f" x{one.layer.count}" if one.layer.count > 1 else "") for one in result.layers]
    figure = Figure(figsize=(WIDTH, 1.1 + 0.26 * len(names)))
    panel = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    panel[0].set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.4, -0.6))
    for axes in panel:
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
    return figure, panel


def _note(axes: Axes, text: str, place: tuple[float, float], offset: tuple[int, int], **style: Any) -> None:
    """Write `text` beside a place, `offset` points away."""
    axes.annotate(text, place, offset, textcoords="offset points", fontsize=8, **style)


NAMED = 6
"""Layers of a network up to which a roofline names every one."""


@rc_context(STYLE)
def roofline(results: Sequence[Result]) -> Figure:
    """Return the layers of networks on one accelerator against its roofs (doi 10.1145/1498765.1498785).

    The intensity of a layer is its operations for each byte that it moves over the memory port, repeated loads and
    unused bytes of a beat included.
    """
    accelerator, table = results[0].accelerator, results[0].costs
    clock = accelerator.clock_mhz * 1e6
    bandwidth, (_, peak) = accelerator.memory.bytes_per_cycle * clock, speeds(results[0])
    fastest = min(mode.interval / mode.packing for mode in accelerator.pe.modes)
    slowest = max(mode.interval / mode.packing for mode in accelerator.pe.modes)
    figure = Figure(figsize=(WIDTH, 4.2))
    axes = figure.subplots()
    ridge = peak / bandwidth
    reached = [ridge]
    for result, colour, marker in zip(results, (RED, BLUE, GREEN, PURPLE), "osD^", strict=False):
        operations = np.array([2.0 * one.layer.macs for one in result.layers])
        intensity = operations / [one.energy.memory / table.dram for one in result.layers]
        speed = operations / [accelerator.seconds(one.run.cycles) for one in result.layers]
        style: dict[str, Any] = {"color": colour, "marker": marker, "edgecolors": "white", "alpha": 0.75, "zorder": 3}
        axes.scatter(intensity, speed, s=36, label=result.network.name, **style)
        if len(result.layers) <= NAMED:
            for one, x, y in zip(result.layers, intensity, speed, strict=True):
                _note(axes, one.layer.name, (x, y), (6, -9), color=colour)
        reached += [*intensity]
    x = np.array([min(reached) / 2, ridge, max(reached) * 2])
    axes.plot(x, np.minimum(x * bandwidth, peak), color=INK, linewidth=1.5)
    _note(axes, f"memory, {scaled(bandwidth, 'B/s')}", (x[0], x[0] * bandwidth), (6, 0), va="top")
    _note(axes, f"tile, {scaled(peak, 'OPS')}", (x[-1], peak), (0, 4), ha="right")
    if slowest > fastest:
        below = peak * fastest / slowest
        axes.plot([below / bandwidth, x[-1]], [below, below], color=INK, linewidth=1, linestyle=(0, (4, 3)))
        _note(axes, f"in its slowest mode, {scaled(below, 'OPS')}", (x[-1], below), (0, -10), ha="right")
    axes.set(xscale="log", yscale="log", xlabel="operations per byte of memory traffic", ylabel="operations per second")
    axes.yaxis.set_major_formatter(EngFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.legend(loc="lower right")
    return figure


DISTINCT = 100
"""Instructions up to which a timeline sets each apart."""


@rc_context(STYLE)
def timeline(run: Run) -> Figure:
    """Return when each unit worked in one run."""
    figure = Figure(figsize=(WIDTH, 1.9))
    axes = figure.subplots()
    for index, (unit, colour) in enumerate(UNIT_COLOURS.items()):
        spans = np.array([(span.start, span.end + 1) for span in run.spans if span.unit == index]).reshape(-1, 2)
        edge = "white" if len(run.spans) <= DISTINCT else colour
        if len(run.spans) > DISTINCT:
            spans = _merged(spans, run.cycles / 2000)
        bars = [(start, end - start) for start, end in spans]
        axes.broken_barh(bars, (index - 0.36, 0.72), facecolors=colour, edgecolor=edge, linewidth=0.5)
        _note(axes, f"{run.busy(unit) / run.cycles:.0%}", (run.cycles, index), (4, 0), va="center")
    axes.set(yticks=range(len(UNITS)), yticklabels=UNITS, ylim=(len(UNITS) - 0.5, -0.5), xlim=(0, run.cycles))
    axes.set_xlabel("cycle")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    return figure


def _merged(spans: NDArray, gap: float) -> NDArray:
    """Return `spans` [count, 2], at least one, with those joined that are too close for the eye to part."""
    apart = spans[1:, 0] - spans[:-1, 1] > gap
    return np.stack([spans[np.r_[True, apart], 0], spans[np.r_[apart, True], 1]], axis=-1)


@rc_context(STYLE)
def histograms(pairs: Mapping[str, tuple[NDArray, NDArray]]) -> Figure:
    """Return what quantization does to values.

    Parameters
    ----------
    pairs : for each title the values before, in steps of the format, and the integers after.
    """
    figure = Figure(figsize=(WIDTH, 2.6))
    panel = figure.subplots(1, len(pairs), squeeze=False)[0]
    axes: Axes
    for axes, (title, (before, after)) in zip(panel, pairs.items(), strict=True):
        # Bars as wide as a step or several, centred on integers; four bins of the curve to each.
        low, high = np.floor(min(before.min(), after.min())), np.ceil(max(before.max(), after.max()))
        width = max(1, round((high - low) / 32))
        edges = np.arange(low - 0.5, high + 0.5 + width, width)
        fine = np.arange(edges[0], edges[-1] + width / 8, width / 4)
        axes.stairs(np.histogram(after, edges, density=True)[0], edges, fill=True, color=CYAN, label="after")
        axes.stairs(np.histogram(before, fine, density=True)[0], fine, color=INK, linewidth=1, label="before")
        axes.set(title=title, xlabel="steps of the format", ylabel="share per step", yscale="log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
        axes.legend(loc="upper right")
    return figure


@rc_context(STYLE)
def images(pixels: NDArray, labels: NDArray, predictions: NDArray) -> Figure:
    """Return images [count, height, width], each with its prediction, and with its label where that is another."""
    columns = 12
    rows = -(-len(pixels) // columns)
    figure = Figure(figsize=(WIDTH, 0.98 * rows))
    panel = figure.subplots(rows, columns, squeeze=False)
    for axes in panel.flat:
        axes.set_axis_off()
    for axes, image, label, prediction in zip(panel.flat, pixels, labels, predictions, strict=False):
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        right = label == prediction
        text = str(prediction) if right else f"{prediction}, is {label}"
        axes.set_title(text, color=INK if right else RED, loc="center", pad=3)
    return figure
