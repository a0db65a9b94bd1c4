"""One matrix product in three places: golden arithmetic, simulator, circuit. Bits and cycles side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..hw import engine
from ..models import formats
from ..models.accelerator import Accelerator, Memory
from ..models.errors import InputError
from ..models.network import Layer, gemm
from ..models.pe.output import dyadic, rescale
from ..models.program import interpret
from ..models.program.blocking import Blocking
from ..models.program.isa import OUTPUTS, UNITS, assemble, unit
from ..models.program.program import Program, compile_layers
from ..models.qtensor import QTensor
from ..models.quantized import QuantizedLayer
from ..models.unfold import unfold
from ..sim.machine import Machine, Run


@dataclass(frozen=True, eq=False)
class Case:
    """A layer with random values, ready to run.

    Parameters
    ----------
    program : the layer's program.
    memory : uint8, the memory before the run.
    golden : [M, N], what the processing element's arithmetic makes of the operands, without any program.
    """

    program: Program
    memory: NDArray[np.uint8]
    golden: NDArray

    @property
    def layer(self) -> Layer:
        """The layer that the program computes."""
        return self.program.placements[0].blocking.layer


@dataclass(frozen=True)
class Verdict:
    """What became of a case.

    Parameters
    ----------
    case : the case.
    bits_equal : golden arithmetic, the program on it, and the circuit left the same bits in all of memory.
    simulator, rtl : cycles.
    difference : the first instruction whose first or last cycle differs, in words; empty if there is none.
    overlap : cycles in which the load and the multiply unit both worked.
    """

    case: Case
    bits_equal: bool
    simulator: int
    rtl: int
    difference: str
    overlap: int

    @property
    def agrees(self) -> bool:
        """Whether bits and cycles are equal, of every instruction."""
        return self.bits_equal and self.simulator == self.rtl and not self.difference

    def report(self) -> dict:
        """Return the verdict as plain data."""
        layer, memory = self.case.layer, self.case.program.accelerator.memory
        return {
            "gemm": [layer.m, layer.k, layer.n],
            "weight": layer.weight,
            "group": layer.group,
            "zero_point": layer.zero_point,
            "relu": layer.relu,
            "output": layer.output,
            "memory": vars(memory),
            "bits_equal": self.bits_equal,
            "cycles": {"simulator": self.simulator, "rtl": self.rtl},
            "overlap": self.overlap,
            "difference": self.difference,
        }


def random_values(layer: Layer, rng: np.random.Generator) -> tuple[QuantizedLayer, NDArray[np.int8]]:
    """Return `layer` with random weights and parameters, and random images for it.

    All codes are equally likely, extremes included; the output scale is such that some results saturate.
    """
    granularity = "channel" if layer.group is None else f"g{layer.group}"
    kind = formats.parse(f"{layer.weight}_{granularity}{'_z' if layer.zero_point else ''}")
    assert isinstance(kind, formats.BlockFormat)
    element = kind.element
    shape = (1 if layer.group is None else -(-layer.k // layer.group), layer.n)
    codes = rng.integers(1 << element.bits, size=(layer.k, layer.n)).astype(np.uint8)
    zero_points = None
    if layer.zero_point:
        zero_points = rng.integers(int(element.minimum), int(element.maximum) + 1, shape).astype(np.int32)
    weights = QTensor(codes, kind, kind.scale.encode(rng.uniform(0, 2, shape)), zero_points, axis=0)
    images = rng.integers(-128, 128, (layer.batch, layer.height, layer.width, layer.channels)).astype(np.int8)
    typical = 74 * np.sqrt(layer.k) * 2**element.bits / 3
    kind_of_sum: Any = np.int32 if layer.group is None else np.float32
    bias = rng.normal(0, typical, layer.n).astype(kind_of_sum)
    multiplier, shift = dyadic(rng.uniform(0.2, 2, layer.n) * 80 / typical)
    return QuantizedLayer(layer, weights, bias, multiplier, shift), images


def prepare(layer: Layer, accelerator: Accelerator, seed: int, blocking: Blocking | None = None) -> Case:
    """Return the case of `layer` on `accelerator` with values drawn from `seed`, cut as `blocking` says."""
    quantized, images = random_values(layer, np.random.default_rng(seed))
    program = compile_layers([layer], accelerator, blockings=None if blocking is None else [blocking])
    memory = program.memory([quantized])
    program.write_input(memory, images)
    total = accelerator.pe.accumulate(unfold(images, layer), quantized.weights, quantized.bias)
    golden = rescale(total, quantized.multiplier, quantized.shift, layer.relu, layer.output)
    return Case(program, memory, golden)


def random_cases(accelerator: Accelerator, count: int, seed: int, largest: int = 200) -> Iterator[Case]:
    """Yield `count` random matrix products, M, K and N from 1 to `largest`, with random precision and memory timing.

    Sizes are drawn evenly on a logarithmic scale, so that many are small and ragged. Half of the cases have half the
    accelerator's memory bandwidth where its tile allows that: those run on a second circuit.
    """
    rng = np.random.default_rng(seed)
    for index in range(count):
        m, k, n = np.exp(rng.uniform(0, np.log(largest + 1), 3)).astype(int)
        mode = accelerator.pe.modes[rng.integers(len(accelerator.pe.modes))]
        longest = accelerator.pe.longest(mode) // accelerator.k * accelerator.k
        group = [None, None, min(8 * accelerator.k, longest), min(32 * accelerator.k, longest)][rng.integers(4)]
        layer = gemm(
            f"random {index}",
            int(m),
            int(k),
            int(n),
            weight=mode.weight,
            group=group,
            zero_point=bool(rng.integers(2)),
            relu=bool(rng.integers(2)),
            output=str(rng.choice(OUTPUTS)),
        )
        width = accelerator.memory.bytes_per_cycle
        if index % 2 and width // 2 >= accelerator.k:
            width //= 2
        memory = Memory(width, latency=int(rng.integers(0, 64)), burst_overhead=int(rng.integers(0, 6)))
        yield prepare(layer, replace(accelerator, memory=memory), seed=int(rng.integers(2**32)))


def check(cases: Sequence[Case], waves: Path | None = None) -> list[Verdict]:
    """Run every case on golden arithmetic, simulator and circuit, and compare.

    Parameters
    ----------
    cases : what to run; cases for the same circuit share a simulation.
    waves : VCD file of the circuit's signals; only for cases of one circuit.
    """
    widths = sorted({case.program.accelerator.memory.bytes_per_cycle for case in cases})
    if waves is not None and len(widths) > 1:
        raise InputError(f"waves of {len(widths)} circuits do not fit one file; check a single product")
    verdicts: dict[int, Verdict] = {}
    for width in widths:
        chosen = [i for i, case in enumerate(cases) if case.program.accelerator.memory.bytes_per_cycle == width]
        runs = engine.run([engine.Job(cases[i].program, cases[i].memory) for i in chosen], waves=waves)
        verdicts |= {i: _judge(cases[i], rtl) for i, rtl in zip(chosen, runs, strict=True)}
    return [verdicts[i] for i in range(len(cases))]


def _judge(case: Case, rtl: engine.RTLRun) -> Verdict:
    memory = case.memory.copy()
    interpret.run(case.program, memory)
    golden = case.program.read_output(memory).tobytes() == case.golden.tobytes()
    simulated = Machine(case.program.accelerator).run(case.program.instructions)
    return Verdict(
        case,
        bits_equal=golden and memory.tobytes() == rtl.memory.tobytes(),
        simulator=simulated.cycles,
        rtl=rtl.cycles,
        difference=_difference(case.program, simulated, rtl),
        overlap=_overlap(rtl.spans),
    )


def _difference(program: Program, simulated: Run, rtl: engine.RTLRun) -> str:
    """Return the first instruction, by time, that the simulator and the circuit run in different cycles."""
    first: tuple[int, str] | None = None
    for index, name in enumerate(UNITS):
        instructions = [code for code in program.instructions if unit(code) == index]
        ours = [span[1:] for span in simulated.spans if span.unit == index]
        theirs = [span[1:] for span in rtl.spans if span[0] == index]
        if len(theirs) != len(instructions):
            return f"{name}: the circuit ran {len(theirs)} of {len(instructions)} instructions"
        for code, a, b in zip(instructions, ours, theirs, strict=True):
            if a != b and (first is None or min(*a, *b) < first[0]):
                text = assemble([code]).strip()
                first = min(*a, *b), f"simulator cycles {a[0]}..{a[1]}, rtl {b[0]}..{b[1]}: {text}"
                break
    return "" if first is None else first[1]


def _overlap(spans: Sequence[tuple[int, int, int]]) -> int:
    """Return the cycles in which the load and the multiply unit both work."""
    ends = max((end for _, _, end in spans), default=-1) + 1
    busy = np.zeros((len(UNITS), ends), dtype=bool)
    for index, start, end in spans:
        busy[index, start : end + 1] = True
    return int((busy[UNITS.index("load")] & busy[UNITS.index("multiply")]).sum())
