"""Energy: how often each part of the engine works, times what the cost table says that costs.

The activity follows from the instructions alone. The table is data (`hw/costs/*.yaml`); every figure in it says where
it comes from, and a report says which table it used.
"""

from __future__ import annotations

import math
from collections import Counter
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
        """Energy of all parts, in pJ."""
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
        """Where the figures come from, in a line."""
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
    # Instructions that differ only in where their operands lie cost the same.
    beat = accelerator.memory.bytes_per_cycle
    alike: Counter[Instruction] = Counter()
    for code in instructions:
        match code:
            case Load(buffer, rows, length, offset=offset):
                alike[Load(buffer, rows, length, 0, offset=offset % beat)] += 1
            case Store(rows, length):
                alike[Store(rows, length, 0)] += 1
            case _:
                alike[code] += 1
    total = Energy()
    for code, count in alike.items():
        total += _spent(accelerator, code, table) * count
    return total


def _spent(accelerator: Accelerator, code: Instruction, table: Costs) -> Energy:
    """Return the energy of one instruction."""
    tile, operation = accelerator.tile, table.operations
    beat, column_word = accelerator.memory.bytes_per_cycle, accelerator.column_word
    activation, weight, parameter, accumulator, output = (
        table.sram_byte(getattr(accelerator.buffers, part.name)) for part in fields(accelerator.buffers)
    )
    match code:
        case Load():
            beats = code.rows * accelerator.memory.beats(code.offset, code.length)
            fill = (activation, weight, parameter)[code.buffer]
            return Energy(buffers=code.rows * code.length * fill, memory=beats * beat * table.dram)
        case Store():
            beats = code.rows * accelerator.memory.beats(0, code.length)
            return Energy(buffers=code.rows * code.length * output, memory=beats * beat * table.dram)
        case Finish():
            drained = code.columns * row_groups(accelerator, code.rows) * tile.drain
            written = tile.n * OUTPUT_BYTES[OUTPUTS[code.format]] * output
            return Energy(
                output=drained * tile.n * operation["multiply_32x16"],
                buffers=drained * (column_word * accumulator + written)
                + drained // tile.drain * column_word * parameter,
            )
        case Multiply():
            k, mode = accelerator.k, accelerator.pe.modes[code.mode]
            tiles = code.columns * -(-code.rows // tile.m)
            steps = tiles * ((code.groups - 1) * code.steps + code.last_steps)
            cycles, planes = steps * mode.interval, steps * mode.planes
            drained = code.columns * code.groups * row_groups(accelerator, code.rows) * tile.drain
            # A cell adds its k products and the accumulator; a row adds its k activations once for all columns.
            accumulate = operation["add_32"] * accelerator.pe.accumulator_bits / 32
            cells = cycles * tile.m * tile.n * k * (operation["multiply_8x4"] + accumulate)
            result = operation["float32_add"] + operation["float32_multiply"] if code.scaled else operation["add_32"]
            if code.parameters:
                result += operation["multiply_32x16"]
            words = tiles * (code.parameters * code.groups + code.biased)
            return Energy(
                cells=cells + steps * tile.m * k * accumulate,
                finish=drained * tile.n * result,
                buffers=steps * tile.m * accelerator.row_word * activation
                + planes * accelerator.weight_word * weight
                + words * column_word * parameter
                + 2 * drained * column_word * accumulator,
            )
