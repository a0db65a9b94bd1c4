"""What `dyad demo` computes: one small network with real weights on real images, taken through every floor.

The network is quantized in several formats. Each is judged by the accuracy of its golden arithmetic, its cycles and
energy are simulated, and one image goes through the whole network on the circuit. Large networks follow, as shapes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..hw import engine
from ..models import accelerator as accelerators
from ..models import networks
from ..models.accelerator import Accelerator
from ..models.networks.digits import digits
from ..models.program import interpret
from ..models.program.program import Program, compile_layers
from ..models.quantize import quantize
from ..models.quantized import QuantizedNetwork
from ..sim.machine import Machine
from ..sim.simulate import Result, simulate

NETWORK = "digits-cnn"
FORMATS = ("int8_channel", "int4_channel", "uint4_g32_z", "int2_channel")
"""From more bits than needed to too few; per channel and in groups, with zero points and without."""

DETAIL = "int4_channel"
"""The one of them that is looked at layer by layer."""

CALIBRATION = 256
"""Training images from which the ranges of the activations are taken."""

CIRCUIT = "tiny"
"""The accelerator whose circuit is built and run: the smallest that does everything."""

LARGE: tuple[tuple[str, str | None, dict[str, Any]], ...] = (
    ("resnet18", None, {}),
    ("llama2-7b", "server", {"phase": "prefill", "tokens": 2048}),
    ("llama2-7b", "server", {"phase": "decode", "tokens": 2048}),
)
"""Networks that are only simulated: name, accelerator (None: the one that was asked for) and options."""


@dataclass(frozen=True)
class Variant:
    """The network with its weights in one format.

    Parameters
    ----------
    weights : name of the block format.
    network : the quantized network.
    outputs : what the golden arithmetic gives for the held-out images, layer by layer.
    predictions : int64 [images]; the digit that each image is taken for.
    accuracy : share of the images whose digit that is.
    result : cycles and energy of one image.
    """

    weights: str
    network: QuantizedNetwork
    outputs: list[NDArray]
    predictions: NDArray[np.int64]
    accuracy: float
    result: Result


@dataclass(frozen=True)
class Check:
    """One image through the whole network: on the circuit, on the golden interpreter and on the simulated machine.

    Parameters
    ----------
    weights : name of the block format.
    bits_equal : whether the circuit left what the interpreter left in every byte of memory, and in the images of every
        layer what the golden network gave.
    simulator, rtl : cycles of each layer on the machine and on the circuit.
    prediction : the digit that the circuit took the image for.
    """

    weights: str
    bits_equal: bool
    simulator: tuple[int, ...]
    rtl: tuple[int, ...]
    prediction: int

    @property
    def equal(self) -> bool:
        return self.bits_equal and self.simulator == self.rtl


@dataclass(frozen=True)
class Demo:
    """Everything that the demo has to tell.

    Parameters
    ----------
    seed : what the calibration images and the checked image were chosen by.
    accelerator, circuit : what was simulated, and what ran as a circuit.
    accuracy : that of the network before quantization.
    variants : the network in each of `FORMATS`.
    image : index of the checked image among the held-out ones.
    checks : its way through each variant.
    large : the large networks.
    """

    seed: int
    accelerator: Accelerator
    circuit: Accelerator
    accuracy: float
    variants: tuple[Variant, ...]
    image: int
    checks: tuple[Check, ...]
    large: tuple[Result, ...]

    def report(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return {
            "seed": self.seed,
            "network": NETWORK,
            "accelerator": self.accelerator.name,
            "images": len(digits().test_labels),
            "float_accuracy": self.accuracy,
            "variants": [
                {"weights": one.weights, "accuracy": one.accuracy, **one.result.report()} for one in self.variants
            ],
            "crosscheck": {
                "accelerator": self.circuit.name,
                "image": self.image,
                "results": [
                    {
                        "weights": check.weights,
                        "bits_equal": check.bits_equal,
                        "cycles": {"simulator": sum(check.simulator), "rtl": sum(check.rtl)},
                        "prediction": check.prediction,
                    }
                    for check in self.checks
                ],
            },
            "large": [result.report() | {"source": result.network.source} for result in self.large],
        }


def demo(accelerator: Accelerator, seed: int = 0, progress: Callable[[str], None] = lambda step: None) -> Demo:
    """Run the demo.

    Parameters
    ----------
    accelerator : what cycles and energy are simulated on.
    seed : chooses the calibration images and the image for the circuit.
    progress : is told of each step.

    Raises
    ------
    InputError : if the network does not suit the accelerator.
    """
    progress("loading the images of digits")
    data, generator = digits(), np.random.default_rng(seed)
    network = networks.load_float(NETWORK)
    calibration = data.train_images[generator.permutation(len(data.train_images))[:CALIBRATION]]
    image = int(generator.integers(len(data.test_images)))
    accuracy = float((_digits(network.forward(data.test_images)) == data.test_labels).mean())

    variants = []
    for weights in FORMATS:
        progress(f"quantizing {NETWORK} to {weights}")
        quantized = quantize(network, calibration, weights)
        outputs = quantized.forward(accelerator.pe, quantized.encode(data.test_images))
        predictions = _digits(outputs)
        share = float((predictions == data.test_labels).mean())
        result = simulate(quantized.network, accelerator)
        variants.append(Variant(weights, quantized, outputs, predictions, share, result))

    circuit = accelerators.load(CIRCUIT)
    progress(f"running {NETWORK} on the circuit of accelerator {CIRCUIT} (the first time, it is built)")
    checks = check(circuit, variants, data.test_images, image)

    large = []
    for name, other, options in LARGE:
        progress(f"simulating {name}")
        hardware = accelerators.load(other) if other else accelerator
        large.append(simulate(networks.load(name, **options), hardware))
    return Demo(seed, accelerator, circuit, accuracy, tuple(variants), image, checks, tuple(large))


def check(circuit: Accelerator, variants: list[Variant], images: NDArray, image: int) -> tuple[Check, ...]:
    """Send one of `images` through every variant on the circuit, and compare."""
    jobs = []
    for variant in variants:
        layers = variant.network.layers
        program = compile_layers([layer.layer for layer in layers], circuit)
        memory = program.memory(layers)
        program.write_input(memory, variant.network.encode(images[image : image + 1]))
        jobs.append(engine.Job(program, memory))
    checks = []
    for variant, (program, memory, _), run in zip(variants, jobs, engine.run(jobs), strict=True):
        expected = memory.copy()
        interpret.run(program, expected)
        same = [np.array_equal(run.memory, expected)]
        for placement, output in zip(program.placements, variant.outputs, strict=True):
            stored = np.ascontiguousarray(placement.output.view(run.memory)).view(np.uint8)
            same.append(stored.tobytes() == np.ascontiguousarray(output[image]).tobytes())
        machine = Machine(circuit)
        checks.append(
            Check(
                weights=variant.weights,
                bits_equal=all(same),
                simulator=tuple(machine.run(layer).cycles for layer in program.layers),
                rtl=_cycles(program, run),
                prediction=int(program.read_output(run.memory).argmax()),
            )
        )
    return tuple(checks)


def _cycles(program: Program, run: engine.RTLRun) -> tuple[int, ...]:
    """Return the cycles of each layer on the circuit, where a fence ends every layer."""
    ends = np.array([end for _, _, end in run.spans]) + 1
    last = np.cumsum([len(layer) for layer in program.layers])
    return tuple(np.diff(ends[last - 1], prepend=0).tolist())


def _digits(outputs: list[NDArray]) -> NDArray[np.int64]:
    """Return the digit with the greatest logit for each image."""
    return outputs[-1].reshape(len(outputs[-1]), -1).argmax(axis=1)
