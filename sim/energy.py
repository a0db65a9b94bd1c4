"""Energy: how often each part of the engine works, times what the cost table says that costs.

The activity follows from the instructions, and what idles from the cycles. The table is data (`hw/costs/*.yaml`), and
a report says which one it used. Counted are the stations of processing elements, output stages and the bytes in and out
of buffers and external memory; the registers and controllers between them are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields

from ..models.accelerator import Accelerator
from ..models.program.isa import OUTPUT_BYTES, OUTPUTS, Finish, Instruction, Load, Multiply, Store
from ..models.program.timing import row_groups
from .costs import Costs, PECost


@dataclass(frozen=True)
class Energy:
    """Energy by part, in pJ.

    cells : products and their accumulation, and what rows and columns prepare for them. finish : scales, zero points
    and sums over groups. output : rescaling. idle : clock and leakage of all that, in every cycle. buffers : the
    on-chip buffers. memory : the external memory.
    """

    cells: float = 0.0
    finish: float = 0.0
    output: float = 0.0
    idle: float = 0.0
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


def energy(accelerator: Accelerator, instructions: Iterable[Instruction], cycles: int, table: Costs) -> Energy:
    """Return the energy of `instructions` on `accelerator`, which take so many cycles, by the figures of `table`.

    All cells of a tile work in every step, whether or not their results are wanted: that is what the circuit does. No
    clock is ever gated.

    Raises
    ------
    InputError : if the table lacks the processing element.
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
    tile, cost = accelerator.tile, table.of(accelerator.pe)
    stations = {
        "dot": tile.m * tile.n,
        "row": tile.m,
        "column": tile.n,
        "finish": tile.drain * tile.n,
        "output": tile.drain * tile.n,
    }
    seconds = accelerator.seconds(1)
    total = Energy(idle=cycles * sum(count * cost.idle(station, seconds) for station, count in stations.items()))
    for code, count in alike.items():
        total += _spent(accelerator, code, table, cost) * count
    return total


def _spent(accelerator: Accelerator, code: Instruction, table: Costs, cost: PECost) -> Energy:
    """Return the energy of one instruction."""
    tile = accelerator.tile
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
                output=drained * tile.n * cost.active("output", accelerator.pe.modes[0]),
                buffers=drained * (column_word * accumulator + written)
                + drained // tile.drain * column_word * parameter,
            )
        case Multiply():
            mode = accelerator.pe.modes[code.mode]
            tiles = code.columns * -(-code.rows // tile.m)
            steps = tiles * ((code.groups - 1) * code.steps + code.last_steps)
            busy = steps * mode.interval + tiles * code.groups * mode.header
            planes = tiles * -(-steps // tiles // mode.steps) * mode.planes
            drained = code.columns * code.groups * row_groups(accelerator, code.rows) * tile.drain
            edges = tile.m * cost.active("row", mode) + tile.n * cost.active("column", mode)
            words = tiles * (code.parameters * code.groups + code.biased)
            return Energy(
                cells=busy * (tile.m * tile.n * cost.active("dot", mode) + edges),
                finish=drained * tile.n * cost.active("finish", mode),
                buffers=steps * tile.m * accelerator.row_word * activation
                + planes * accelerator.weight_word * weight
                + words * column_word * parameter
                + 2 * drained * column_word * accumulator,
            )
