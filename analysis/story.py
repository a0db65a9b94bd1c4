"""The demo in words: its tables, for the terminal and for the HTML report."""

from __future__ import annotations

from typing import NamedTuple

from ..models.networks.digits import digits
from . import summary
from .demo import DETAIL, NETWORK, Demo, Variant
from .units import scaled


class Table(NamedTuple):
    """A table with a title."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]


def tables(demo: Demo) -> tuple[Table, ...]:
    """Return everything that the terminal shows."""
    return formats(demo), layers(demo), checks(demo), large(demo)


def shown(demo: Demo) -> Variant:
    """Return the variant that is looked at in detail."""
    return next(one for one in demo.variants if one.weights == DETAIL)


def formats(demo: Demo) -> Table:
    """Return what each format costs and gives."""
    rows: list[tuple[object, ...]] = [("none (float32)", f"{demo.accuracy:.2%}", None, None, None, None, None)]
    for one in demo.variants:
        rows.append(
            (
                one.weights,
                f"{one.accuracy:.2%}",
                f"{100 * (demo.accuracy - one.accuracy):.2f}",
                f"{one.result.cycles:,}",
                scaled(one.result.seconds, "s"),
                scaled(one.result.energy.total * 1e-12, "J"),
                f"{one.result.utilization:.1%}",
            )
        )
    images = len(digits().test_labels)
    return Table(
        f"{NETWORK}: accuracy on {images} held-out images, cycles and energy of one image on {demo.accelerator.name}",
        ("quantization", "accuracy", "points lost", "cycles", "time", "energy", "utilization"),
        rows,
    )


def layers(demo: Demo) -> Table:
    """Return the layers of the variant that is looked at."""
    one = shown(demo)
    title = f"{NETWORK} in {one.weights} on {demo.accelerator.name}, layer by layer"
    return Table(title, summary.LAYER_COLUMNS, summary.layers(one.result))


def checks(demo: Demo) -> Table:
    """Return how the circuit compares with the golden arithmetic and with the simulator."""
    names = [layer.layer.name for layer in demo.variants[0].network.layers]
    rows: list[tuple[object, ...]] = [
        (
            check.weights,
            *(f"{cycles:,}" for cycles in check.rtl),
            f"{sum(check.rtl):,}",
            f"{sum(check.simulator):,}",
            "bits " + ("equal" if check.bits_equal else "DIFFER"),
            "cycles " + ("equal" if check.simulator == check.rtl else "DIFFER"),
            check.prediction,
        )
        for check in demo.checks
    ]
    tile, k = demo.circuit.tile, demo.circuit.k
    return Table(
        f"{NETWORK} on the circuit of {demo.circuit.name} ({tile.m} x {tile.n} cells of {k} lanes), in RTL simulation: "
        f"image {demo.image}, a {digits().test_labels[demo.image]}",
        ("weights", *names, "RTL cycles", "simulator cycles", "values", "schedule", "read as"),
        rows,
    )


def large(demo: Demo) -> Table:
    """Return the large networks, a line for each."""
    rows: list[tuple[object, ...]] = [
        (
            result.network.name,
            result.network.source.rpartition("; ")[2] if ";" in result.network.source else "one image",
            result.accelerator.name,
            f"{result.cycles:,}",
            scaled(result.seconds, "s"),
            scaled(result.energy.total * 1e-12, "J"),
            f"{result.utilization:.1%}",
            scaled(summary.speeds(result)[0], "OPS"),
        )
        for result in demo.large
    ]
    columns = ("network", "work", "accelerator", "cycles", "time", "energy", "utilization", "speed")
    return Table("large networks, simulated", columns, rows)
