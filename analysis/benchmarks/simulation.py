"""How fast networks are simulated, beside bare SimPy: ``python -m dyad.analysis.benchmarks.simulation``.

The baseline is a process that does nothing but wait, measured in the same run: what SimPy itself can do on this
machine. Ratios to it are comparable between machines, seconds are not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from functools import partial
from statistics import median

import simpy

from ...models import accelerator, networks
from ...models.program.program import compile_layers
from ...sim.machine import Machine
from ...sim.simulate import simulate

EVENTS = 200_000
REPEATS = 5
NETWORKS: tuple[tuple[str, dict[str, object]], ...] = (
    ("resnet18", {}),
    ("llama2-7b", {"phase": "prefill", "tokens": 2048}),
    ("llama2-7b", {"phase": "decode", "tokens": 2048}),
    ("bitnet-3b", {"phase": "prefill", "tokens": 2048}),
)


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median time of `work`."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def bare_events() -> None:
    """Wait `EVENTS` times."""
    env = simpy.Environment()

    def process() -> Generator[simpy.Event]:
        for _ in range(EVENTS):
            yield env.timeout(1)

    env.process(process())
    env.run()


def main() -> None:
    """Print the table."""
    event = seconds(bare_events) / EVENTS
    print(f"baseline: {1e-6 / event:.2f} million bare SimPy events/s\n")
    print(f"{'network':24} {'accelerator':12} {'seconds':>8} {'instructions':>13} {'events each':>12} {'cycles/s':>10}")
    for name, options in NETWORKS:
        network = networks.load(name, **options)
        for chosen in ("edge", "server"):
            machine = accelerator.load(chosen)
            shapes = {layer.shape: layer for layer in network.layers}
            programs = [compile_layers([layer], machine).instructions for layer in shapes.values()]
            instructions = sum(map(len, programs))
            engine = Machine(machine)
            running = seconds(partial(list, map(engine.run, programs)), repeats=1)
            whole = seconds(partial(simulate, network, machine), repeats=3)
            result = simulate(network, machine)
            label = f"{name} {options.get('phase', '')}"
            print(
                f"{label:24} {chosen:12} {whole:8.2f} {instructions:13,} {running / instructions / event:12.1f} "
                f"{result.cycles / whole:10.2g}"
            )
    print("\nevents each: time to simulate an instruction, in bare events; seconds: lowering, simulation and energy.")


if __name__ == "__main__":
    main()
