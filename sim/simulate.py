"""Networks on accelerators: cycles, energy and utilisation, layer by layer.

Layers are separated by fences, so that a network takes exactly the sum of the cycles of its layers, each starting on an
idle engine; layers of one shape are lowered and simulated once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..models.accelerator import Accelerator
from ..models.network import Layer, Network
from ..models.program.isa import UNITS
from ..models.program.layout import output_border
from ..models.program.program import Program, compile_layers
from .costs import Costs, costs
from .energy import Energy, energy
from .machine import Machine, Run


@dataclass(frozen=True)
class LayerResult:
    """One layer of a network, simulated.

    Parameters
    ----------
    layer : the layer. Figures are those of one instance; `layer.count` says how many there are.
    program : its instructions; layers of one shape share a program.
    run : cycles and spans.
    energy : energy by part.
    ideal : cycles that the tile would take if every lane of every cell did useful work in every cycle.
    """

    layer: Layer
    program: Program
    run: Run
    energy: Energy
    ideal: float

    @property
    def utilization(self) -> float:
        """Useful multiply-accumulates over those that the tile could have done in the same cycles."""
        return self.ideal / self.run.cycles


@dataclass(frozen=True)
class Result:
    """A network on an accelerator, simulated."""

    network: Network
    accelerator: Accelerator
    costs: Costs
    layers: tuple[LayerResult, ...]

    @property
    def cycles(self) -> int:
        """Cycles of all layers, one after another."""
        return sum(result.run.cycles * result.layer.count for result in self.layers)

    @property
    def energy(self) -> Energy:
        """Energy of all layers, by part."""
        total = Energy()
        for result in self.layers:
            total += result.energy * result.layer.count
        return total

    @property
    def seconds(self) -> float:
        """Time at the accelerator's clock, in seconds."""
        return self.accelerator.seconds(self.cycles)

    @property
    def utilization(self) -> float:
        """Useful multiply-accumulates over those that the tile could have done in the same cycles, of all layers."""
        return sum(result.ideal * result.layer.count for result in self.layers) / self.cycles

    @property
    def energy_from(self) -> str:
        """Where the figures of energy come from, in a line."""
        return self.costs.label(self.accelerator.pe)

    def report(self) -> dict:
        """Return the figures as plain data; cycles, MACs and energies of a layer count all its instances."""
        return {
            "network": self.network.name,
            "accelerator": self.accelerator.name,
            "cycles": self.cycles,
            "seconds": self.seconds,
            "energy_pj": self.energy.total,
            "energy_from": self.energy_from,
            "macs": self.network.macs,
            "utilization": self.utilization,
            "skipped": dict(self.network.skipped),
            "layers": [
                {
                    "name": result.layer.name,
                    "count": result.layer.count,
                    "m": result.layer.m,
                    "k": result.layer.k,
                    "n": result.layer.n,
                    "weight": result.layer.weight,
                    "activation": result.layer.activation,
                    "macs": result.layer.macs * result.layer.count,
                    "cycles": result.run.cycles * result.layer.count,
                    "energy_pj": result.energy.total * result.layer.count,
                    "energy_by_part_pj": {
                        part: value * result.layer.count for part, value in vars(result.energy).items()
                    },
                    "utilization": result.utilization,
                    "busy": {unit: result.run.busy(unit) / result.run.cycles for unit in UNITS},
                }
                for result in self.layers
            ],
        }


def simulate(
    network: Network,
    accelerator: Accelerator,
    table: Costs | None = None,
    progress: Callable[[str], None] = lambda name: None,
) -> Result:
    """Simulate every layer of `network` on `accelerator`.

    Parameters
    ----------
    network : the network.
    accelerator : the accelerator.
    table : the cost table; that of dyad's own library when left out.
    progress : is told the name of each layer before its simulation.

    Raises
    ------
    InputError : if a layer does not suit the accelerator, or the table lacks its processing element.
    """
    table = table or costs()
    machine = Machine(accelerator)
    known: dict[tuple[Layer, int], LayerResult] = {}
    results = []
    for layer, following in zip(network.layers, [*network.layers[1:], None], strict=True):
        border = output_border(layer, following)
        key = (layer.shape, border)
        if key not in known:
            progress(layer.name)
            program = compile_layers([layer], accelerator, border=border)
            known[key] = _simulate(machine, layer, program, table)
        results.append(replace(known[key], layer=layer))
    return Result(network, accelerator, table, tuple(results))


def _simulate(machine: Machine, layer: Layer, program: Program, table: Costs) -> LayerResult:
    accelerator, instructions = machine.accelerator, program.instructions
    mode = accelerator.pe.mode(layer.weight, layer.activation)
    ideal = layer.macs * mode.interval / (accelerator.tile.m * accelerator.tile.n * accelerator.k * mode.packing)
    run = machine.run(instructions)
    return LayerResult(layer, program, run, energy(accelerator, instructions, run.cycles, table), ideal)
