"""Runs programs on the engine's circuit, in Verilator: the bits it leaves in memory and the cycles it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped
from numpy.typing import NDArray

from ..models.accelerator import Accelerator, Memory
from ..models.errors import InputError
from ..models.program.isa import encode
from ..models.program.program import Program
from ..rtl.engine import Engine
from . import simulate

BENCH = "dyad.tests.engine_bench"


class RTLRun(NamedTuple):
    """What a run on the circuit gave.

    memory : uint8 [program.size], after the run.
    cycles : cycles from the one that offers the first instruction to the one that finds the engine idle again.
    spans : (unit, first cycle, last cycle) of every instruction, by the time of its end; unit as in `isa.UNITS`.
    """

    memory: NDArray[np.uint8]
    cycles: int
    spans: list[tuple[int, int, int]]


class Probed(wiring.Component):
    """The engine with what a bench looks at in every cycle gathered in one port, since a bench pays for each it reads.

    Ports
    -----
    status : out; from bit 0: instructions.ready, memory.request.valid, memory.write.valid, idle, start (4), done (4).
    All others as in `Engine`.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self._engine = Engine(accelerator)
        members = self._engine.signature.members
        super().__init__({"instructions": members["instructions"], "memory": members["memory"], "status": Out(12)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.engine = engine = self._engine
        connect(m, flipped(self.instructions), engine.instructions)
        connect(m, flipped(self.memory), engine.memory)
        m.d.comb += self.status.eq(
            Cat(
                engine.instructions.ready,
                engine.memory.request.valid,
                engine.memory.write.valid,
                engine.idle,
                engine.start,
                engine.done,
            )
        )
        return m


class Job(NamedTuple):
    """One run of a program.

    program : the program.
    memory : uint8 [program.size], as `Program.memory` and `Program.write_input` prepare it; it is not changed.
    stalls : probability with which the memory is not ready, or has no beat, in a cycle in which it could. Any value
        but 0 changes the cycles, and must not change the bits.
    """

    program: Program
    memory: NDArray[np.uint8]
    stalls: float = 0.0


def run(jobs: Sequence[Job], waves: Path | None = None, seed: int = 0) -> list[RTLRun]:
    """Run programs on the circuit of their accelerator, one after another, without a reset in between.

    Parameters
    ----------
    jobs : what to run. The accelerators may differ in the timing of their memory, which is no part of the circuit.
    waves : where to write a VCD file of the runs.
    seed : seed of the stalls.

    Raises
    ------
    InputError : if the jobs are not for one circuit.
    simulate.SimulationError : if the engine broke a rule of its ports, or did not end.
    """
    circuits = {_circuit(job.program.accelerator) for job in jobs}
    if len(circuits) != 1:
        raise InputError(f"{len(circuits)} different circuits cannot run in one simulation")
    (circuit,) = circuits
    outputs = simulate.run(
        Probed(circuit),
        f"engine_{circuit.tile.m}x{circuit.tile.n}x{circuit.k}",
        BENCH,
        {
            "jobs": [
                {
                    "instructions": [int.from_bytes(encode(code), "little") for code in job.program.instructions],
                    "memory": job.memory,
                    "timing": job.program.accelerator.memory,
                    "stalls": job.stalls,
                }
                for job in jobs
            ]
        },
        waves=waves,
        seed=seed,
    )
    return [RTLRun(*result) for result in outputs["results"]]


def _circuit(accelerator: Accelerator) -> Accelerator:
    """Return what of an accelerator is in its circuit."""
    memory = Memory(accelerator.memory.bytes_per_cycle, latency=0, burst_overhead=0)
    return replace(accelerator, name="", memory=memory, clock_mhz=1.0, source="")
