"""Matrix products in three places: golden arithmetic, simulator, circuit. Bits and cycles side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..hw import engine
from ..models.errors import InputError
from ..models.program import interpret
from ..models.program.assembly import assemble
from ..models.program.isa import UNITS, unit
from ..models.program.program import Program
from ..sim.machine import Machine, Run
from .cases import Case


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
        return {
            "layers": [
                {"gemm": [layer.m, layer.k, layer.n]} | {field: getattr(layer, field) for field in _REPORTED}
                for layer in self.case.layers
            ],
            "memory": vars(self.case.program.accelerator.memory),
            "bits_equal": self.bits_equal,
            "cycles": {"simulator": self.simulator, "rtl": self.rtl},
            "overlap": self.overlap,
            "difference": self.difference,
        }


_REPORTED = ("weight", "activation", "group", "zero_point", "relu", "output")


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
    golden = all(
        case.program.read_output(memory, index).tobytes() == expected.tobytes()
        for index, expected in enumerate(case.golden)
    )
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
