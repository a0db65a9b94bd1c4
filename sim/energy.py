"""Energy: how often each part of the engine works, times what the cost table says that costs.

The activity follows from the instructions alone. The table is data (`hw/costs/*.yaml`); every figure in it says where
it comes from, and a report says which table it used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import yaml

from ..models.accelerator import Accelerator
from ..models.program.isa import OUTPUT_BYTES, OUTPUTS, Finish, Instruction, Load, Multiply, Store
from ..models.program.timing import row_groups

COSTS = Path(__file__).resolve().parents[1] / "hw" / "costs"


@dataclass(frozen=True)
class Energy:
    """Energy by part, in pJ.

    cells : products and their accumulation. finish : scales, zero points and sums over groups. output : rescaling.
    buffers : the on-chip buffers. memory : the external memory.
    """

    cells: float = 0.0
    finish: float = 0.0
    output: float = 0.0
    buffers: float = 0.0
    memory: float = 0.0

    @property
    def total(self) -> float:
        return sum(getattr(self, part.name) for part in fields(self))

    def __add__(self, other: Energy) -> Energy:
        return Energy(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))

    def __mul__(self, count: int) -> Energy:
        return Energy(*(getattr(self, part.name) * count for part in fields(self)))


@dataclass(frozen=True)
class Costs:
    """A cost table.

    Parameters
    ----------
    name : its file, without the ending.
    status : how its figures were obtained: ``published`` or ``measured``.
    technology : what they hold for.
    operations : pJ for an operation, by name.
    sram : (capacity in bytes, pJ for a byte) at rising capacities.
    dram : pJ for a byte of external memory.
    """

    name: str
    status: str
    technology: str
    operations: dict[str, float]
    sram: tuple[tuple[int, float], ...]
    dram: float

    @property
    def label(self) -> str:
        return f"{self.status} figures, {self.technology} (hw/costs/{self.name}.yaml)"

    def sram_byte(self, capacity: int) -> float:
        """Return the pJ that a byte costs in a memory of `capacity` bytes."""
        points = [(math.log(size), math.log(pj)) for size, pj in self.sram]
        x = math.log(capacity)
        index = sum(size <= x for size, _ in points[1:-1])
        (x0, y0), (x1, y1) = points[index : index + 2]
        return math.exp(y0 + (x - x0) * (y1 - y0) / (x1 - x0))


@lru_cache
def costs(name: str = "published") -> Costs:
    """Return the cost table `hw/costs/<name>.yaml`."""
    data = yaml.safe_load((COSTS / f"{name}.yaml").read_text(encoding="utf-8"))
    return Costs(
        name=name,
        status=data["status"],
        technology=data["technology"],
        operations={key: value["pj"] for key, value in data["operations"].items()},
        sram=tuple(sorted(data["sram"]["pj_per_byte"].items())),
        dram=data["dram"]["pj_per_byte"],
    )


def energy(accelerator: Accelerator, instructions: Iterable[Instruction], table: Costs) -> Energy:
    """Return the energy of `instructions` on `accelerator` by the figures of `table`.

    All cells of a tile work in every step, whether or not their results are wanted: that is what the circuit does.
    """
    tile, buffers, k = accelerator.tile, accelerator.buffers, accelerator.k
    operation = table.operations
    beat = accelerator.memory.bytes_per_cycle
    activation, weight, parameter, accumulator, output = (
        table.sram_byte(getattr(buffers, part.name)) for part in fields(buffers)
    )
    accumulate = operation["add_32"] * accelerator.pe.accumulator_bits / 32
    # A cell adds its k products and the accumulator; a row adds its k activations once for all columns.
    cell = k * (operation["multiply_8x4"] + accumulate)
    row = k * accumulate
    word = accelerator.column_word * tile.drain
    total = Energy()
    for code in instructions:
        match code:
            case Load():
                moved = code.rows * code.length
                fill = (activation, weight, parameter)[code.buffer]
                beats = code.rows * accelerator.memory.beats(code.offset, code.length)
                total += Energy(buffers=moved * fill, memory=beats * beat * table.dram)
            case Store():
                moved = code.rows * code.length
                beats = code.rows * accelerator.memory.beats(0, code.length)
                total += Energy(buffers=moved * output, memory=beats * beat * table.dram)
            case Multiply():
                mode = accelerator.pe.modes[code.mode]
                tiles = code.columns * -(-code.rows // tile.m)
                steps = tiles * ((code.groups - 1) * code.steps + code.last_steps)
                planes = steps * mode.interval
                drained = code.columns * code.groups * row_groups(accelerator, code.rows)
                results = drained * tile.n * tile.drain
                add = operation["float32_add"] if code.scaled else operation["add_32"]
                scale = operation["float32_multiply"] if code.scaled else 0.0
                factors = tiles * code.groups if code.parameters else 0
                zero = operation["multiply_32x16"] if code.parameters else 0.0
                total += Energy(
                    cells=planes * tile.m * tile.n * cell + steps * tile.m * row,
                    finish=results * (add + scale + zero),
                    buffers=steps * tile.m * k * activation
                    + planes * accelerator.weight_word * weight
                    + (factors + tiles * code.biased) * accelerator.column_word * parameter
                    + 2 * drained * word * accumulator,
                )
            case Finish():
                drained = code.columns * row_groups(accelerator, code.rows)
                size = OUTPUT_BYTES[OUTPUTS[code.format]]
                total += Energy(
                    output=drained * tile.n * tile.drain * operation["multiply_32x16"],
                    buffers=drained * (word * accumulator + accelerator.column_word * parameter)
                    + drained * tile.n * tile.drain * size * output,
                )
    return total
