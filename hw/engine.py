"""Runs programs on the engine's circuit, in Verilator: the bits it leaves in memory and the cycles it takes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from numpy.typing import NDArray

from ..models.accelerator import Accelerator
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


def run(
    program: Program,
    memory: NDArray[np.uint8],
    waves: Path | None = None,
    seed: int = 0,
    stalls: float = 0.0,
) -> RTLRun:
    """Run `program` on the circuit of its accelerator.

    Parameters
    ----------
    program : the program.
    memory : uint8 [program.size], as `Program.memory` and `Program.write_input` prepare it; it is not changed.
    waves : where to write a VCD file of the run.
    seed : seed of the stalls.
    stalls : probability with which the memory is not ready, or has no beat, in a cycle in which it could. Any value
        but 0 changes the cycles, and must not change the bits.

    Raises
    ------
    simulate.SimulationError : if the engine broke a rule of its ports, or did not end.
    """
    accelerator = program.accelerator
    outputs = simulate.run(
        Probed(accelerator),
        f"engine_{accelerator.name}",
        BENCH,
        {
            "instructions": [int.from_bytes(encode(code), "little") for code in program.instructions],
            "memory": memory,
            "timing": accelerator.memory,
            "stalls": stalls,
        },
        waves=waves,
        seed=seed,
    )
    return RTLRun(outputs["memory"], outputs["cycles"], outputs["spans"])
