"""Durations of instructions on the engine, in cycles, as functions of their fields.

These are facts about the circuit in `rtl/`, which the tests hold equal to it; the simulator adds what depends on other
instructions: queues, tokens and the memory port.
"""

from __future__ import annotations

from functools import lru_cache

from ..accelerator import Accelerator
from ..pe import Mode
from ..pe.output import LATENCY as OUTPUT_LATENCY


def result_cycles(accelerator: Accelerator) -> int:
    """Return the cycles from the issue of a segment's last step to its sums: scratchpad, operand register, cell."""
    return 2 + accelerator.pe.prepare_latency + accelerator.pe.dot_latency


@lru_cache(maxsize=65536)
def multiply_cycles(
    accelerator: Accelerator, mode: Mode, rows: int, columns: int, groups: int, steps: int, last_steps: int
) -> int:
    """Return the cycles from the start of a `multiply` to its last write into the accumulator buffer.

    The cells work on a segment while the sums of the previous one are drained, row group by row group; the last step
    of a segment is issued only when the drain of the previous one has come far enough. The fields are those of
    `isa.Multiply`.
    """
    tile, finish = accelerator.tile, accelerator.pe.finish_latency
    row_tiles = -(-rows // tile.m)
    full = tile.m // tile.drain
    last = -(-(rows - (row_tiles - 1) * tile.m) // tile.drain)
    # Segments follow one another by column tile, row tile, group. `busy[i]` is how long the drain of a segment of row
    # tile i keeps the next one from ending; a segment that ends sooner waits.
    shortest = finish + 2
    busy_full, busy_last = max(full, shortest), max(last, shortest)
    long, short = (each * mode.interval + mode.header for each in (steps, last_steps))

    def inside(busy: int) -> int:
        """Cycles of a row tile's segments after its first."""
        if groups == 1:
            return 0
        return (groups - 2) * max(long, busy) + max(short, busy)

    first_segment = short if groups == 1 else long
    body = columns * ((row_tiles - 1) * inside(busy_full) + inside(busy_last))
    after_full = max(first_segment, busy_full)
    after_last = max(first_segment, busy_last)
    starts = first_segment + columns * (row_tiles - 1) * after_full + (columns - 1) * after_last
    return starts + body + result_cycles(accelerator) - 1 + last + finish


def finish_cycles(accelerator: Accelerator, rows: int, columns: int) -> int:
    """Return the cycles from the start of a `finish` to its last write into the output buffer."""
    return columns * row_groups(accelerator, rows) + 1 + OUTPUT_LATENCY


def row_groups(accelerator: Accelerator, rows: int) -> int:
    """Return how many groups of `drain` rows a column tile of `rows` rows is drained in."""
    tile = accelerator.tile
    full, rest = divmod(rows, tile.m)
    return full * (tile.m // tile.drain) + -(-rest // tile.drain)
