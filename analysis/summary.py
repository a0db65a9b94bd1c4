"""The figures of a simulated network in words, for the terminal and for the HTML report."""

from __future__ import annotations

from ..models import formats
from ..models.network import Layer
from ..models.program.isa import UNITS
from ..sim.machine import Run
from ..sim.simulate import Result
from .units import scaled

LAYER_COLUMNS = (
    *("layer", "count", "M", "K", "N", "weights", "cycles", "utilization", "energy"),
    *UNITS,
    "bound by",
)
BOUNDS = {"load": "memory", "multiply": "tile", "finish": "output stage", "store": "memory"}


def weights(layer: Layer) -> str:
    """Return the name of the block format of a layer's weights."""
    format = formats.parse(layer.weight)
    if isinstance(format, formats.BlockFormat):
        return format.name
    return formats.grouped(layer.weight, layer.group, layer.zero_point).name


def bound(run: Run) -> str:
    """Return the part of the engine that the busiest unit stands for: what a layer waits for most."""
    return BOUNDS[max(UNITS, key=run.busy)]


def layers(result: Result) -> list[tuple[object, ...]]:
    """Return a row for each layer, in the order of `LAYER_COLUMNS`; cycles and energy count all its instances."""
    return [
        (
            one.layer.name,
            one.layer.count,
            one.layer.m,
            one.layer.k,
            one.layer.n,
            weights(one.layer),
            f"{one.run.cycles * one.layer.count:,}",
            f"{one.utilization:.1%}",
            scaled(one.energy.total * one.layer.count * 1e-12, "J"),
            *(f"{one.run.busy(unit) / one.run.cycles:.0%}" for unit in UNITS),
            bound(one.run),
        )
        for one in result.layers
    ]


def speeds(result: Result) -> tuple[float, float]:
    """Return the operations per second that were reached, and those of the fastest mode at its best.

    An operation is a multiplication or an addition.
    """
    peak = 2 * result.accelerator.peak_macs * result.accelerator.clock_mhz * 1e6
    return 2 * result.network.macs / result.seconds, peak


def totals(result: Result) -> list[tuple[str, str]]:
    """Return what holds for the whole network: what it is, and its value."""
    joules = result.energy.total * 1e-12
    reached, peak = speeds(result)
    skipped = ", ".join(f"{count} {operator}" for operator, count in result.network.skipped)
    return [
        ("time", f"{scaled(result.seconds, 's')}, {result.cycles:,} cycles at {result.accelerator.clock_mhz:g} MHz"),
        ("energy", f"{scaled(joules, 'J')}, {scaled(joules / result.seconds, 'W')} on average"),
        ("energy from", result.energy_from),
        ("work", f"{scaled(result.network.macs, 'MAC')}, {result.utilization:.1%} of what the tile could do"),
        ("speed", f"{scaled(reached, 'OPS')} of {scaled(peak, 'OPS')}"),
        ("not simulated", skipped or "nothing"),
    ]
