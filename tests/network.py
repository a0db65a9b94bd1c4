"""The digits network on a system: what a bench needs to run it, and what must come out."""

from __future__ import annotations

from typing import Any

from dyad.models import networks
from dyad.models.networks.digits import digits
from dyad.models.program.program import compile_layers
from dyad.models.quantize import quantize
from dyad.models.quantized import QuantizedNetwork
from dyad.models.system import System
from dyad.sim.machine import Machine


def digits_programs(system: System, images: int, name: str = "digits-cnn") -> tuple[dict[str, Any], QuantizedNetwork]:
    """Return `program`, its `memory`, `batches` of one held-out image each, and the network itself."""
    data = digits()
    network = quantize(networks.load_float(name), data.train_images[:256], weights="int4_channel")
    program = compile_layers([layer.layer for layer in network.layers], system.accelerator)
    batches = [network.encode(data.test_images[index : index + 1]) for index in range(images)]
    return {"program": program, "memory": program.memory(network.layers), "batches": batches}, network


def same_as_golden(network: QuantizedNetwork, inputs: dict[str, Any], runs: list[tuple[int, Any]]) -> None:
    """Check cycles and bytes of every run."""
    program = inputs["program"]
    cycles = Machine(program.accelerator).run(program.instructions).cycles
    for batch, (taken, results) in zip(inputs["batches"], runs, strict=True):
        assert bytes(results) == network.forward(program.accelerator.pe, batch)[-1].tobytes()
        assert taken == cycles
