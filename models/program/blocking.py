"""How a layer is cut into blocks that fit the buffers, and the search for the best cut.

A block is `rows` x `columns` results with `depth` of the reduction: one `multiply` instruction. Every buffer holds two
blocks, so that one is filled while the other is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from ..accelerator import Accelerator
from ..errors import InputError
from ..network import Layer
from .isa import FIELDS, OUTPUT_BYTES, Multiply
from .reduction import Reduction, ceil_div, reduction, round_up
from .timing import multiply_cycles

_BY_DEPTH = ("activation", "weight")  # the buffers that a shorter block of the reduction needs less of

SLOTS = 2
"""Blocks that each buffer holds."""


@dataclass(frozen=True)
class Blocking:
    """A way to cut `layer` into blocks on `accelerator`.

    Parameters
    ----------
    rows, columns, depth : size of a block in M, N and K. The last blocks may be smaller.
    weights_first : whether the outer loop is over weights (a block of weights meets all activations before the next
        is loaded) or over activations.
    """

    layer: Layer
    accelerator: Accelerator
    rows: int
    columns: int
    depth: int
    weights_first: bool

    @cached_property
    def reduction(self) -> Reduction:
        """How the products of a result are summed."""
        return reduction(self.layer, self.accelerator)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Number of blocks in M, N and K."""
        return (
            ceil_div(self.layer.m, self.rows),
            ceil_div(self.layer.n, self.columns),
            ceil_div(self.layer.k, self.depth),
        )

    @property
    def row_tiles(self) -> int:
        """Tiles of m rows in a block."""
        return ceil_div(self.rows, self.accelerator.tile.m)

    @property
    def column_tiles(self) -> int:
        """Tiles of n columns in a block."""
        return ceil_div(self.columns, self.accelerator.tile.n)

    @property
    def segments(self) -> int:
        """Segments of the reduction in a block."""
        return ceil_div(self.depth, self.reduction.segment)

    @property
    def activation_pitch(self) -> int:
        """Bytes from one tile of rows to the next in a bank of the activation scratchpad."""
        return round_up(self.row_bytes(self.stored(self.depth)), self.accelerator.memory.bytes_per_cycle)

    def stored(self, depth: int) -> int:
        """Return how many activations' room the first `depth` of a row take, with the headers of their segments."""
        reduction = self.reduction
        return depth + ceil_div(depth, reduction.segment) * reduction.mode.row_header * reduction.step

    def words(self, depth: int) -> int:
        """Return the words of weights that the first `depth` of a column tile take, with their headers.

        Every block starts with a new word.
        """
        reduction = self.reduction
        mode = reduction.mode

        def block(depth: int) -> int:
            headers = ceil_div(depth, reduction.segment) * mode.column_header
            return ceil_div(depth, reduction.step * mode.steps) * mode.planes + headers

        whole, rest = divmod(depth, self.depth)
        return whole * block(self.depth) + block(rest)

    def row_bytes(self, count: int) -> int:
        """Return the bytes of `count` activations that follow one another."""
        return ceil_div(count * self.activation_bits, 8)

    @property
    def activation_bits(self) -> int:
        """Bits of an activation."""
        return self.accelerator.pe.activation_bits // self.reduction.mode.packing

    @property
    def steps(self) -> int:
        """Steps of a block."""
        return ceil_div(self.depth, self.reduction.step)

    @property
    def output_pitch(self) -> int:
        """Words from one group of rows to the next in the output buffer."""
        return ceil_div(self.column_tiles * OUTPUT_BYTES[self.layer.output], 4)

    @property
    def row_groups(self) -> int:
        """Groups of `drain` rows in a tile."""
        return self.accelerator.tile.m // self.accelerator.tile.drain

    @property
    def slots(self) -> dict[str, int]:
        """Words that one block takes of each buffer, in each bank."""
        beat = self.accelerator.memory.bytes_per_cycle
        parameters = self.segments if self.reduction.parameters else 0
        return {
            "activation": self.row_tiles * self.activation_pitch // beat,
            "weight": self.column_tiles * self.words(self.depth),
            "parameter": self.column_tiles * (2 + parameters),
            "accumulator": self.column_tiles * self.row_tiles * self.row_groups,
            "output": self.row_tiles * self.row_groups * self.output_pitch,
        }

    @property
    def fits(self) -> bool:
        """Whether two blocks fit every buffer, and one the fields of an instruction."""
        limits = {name: (1 << bits) - 1 for name, bits in FIELDS[Multiply].items()}
        return (
            all(SLOTS * words <= self.accelerator.depths[name] for name, words in self.slots.items())
            and self.rows <= limits["rows"]
            and self.column_tiles <= limits["columns"]
            and self.segments <= limits["groups"]
            and self.steps <= limits["steps"]
        )

    @property
    def cycles(self) -> int:
        """An estimate of the layer's cycles: the busier of the memory port and the tile, and the time to fill both."""
        layer, memory, tile = self.layer, self.accelerator.memory, self.accelerator.tile
        blocks_m, blocks_n, blocks_k = self.counts
        # A block stays in its buffer if the two slots hold all blocks that the inner loops go through.
        if self.weights_first:
            activation_passes = 1 if blocks_m * blocks_k <= SLOTS else blocks_n
            weight_passes = 1 if blocks_k <= SLOTS else blocks_m
        else:
            activation_passes = 1 if blocks_k <= SLOTS else blocks_n
            weight_passes = 1 if blocks_n * blocks_k <= SLOTS else blocks_m
        run = min(self.stored(self.depth), layer.kernel_width * self.stored(layer.channels))
        runs = ceil_div(self.stored(self.depth), run) * blocks_k
        activation = activation_passes * layer.m * runs * memory.occupied(memory.beats(0, self.row_bytes(run)))
        words = ceil_div(layer.n, tile.n) * self.words(layer.k)
        weight = weight_passes * words * self.accelerator.weight_word // memory.bytes_per_cycle
        row_bytes = min(self.columns, layer.n) * OUTPUT_BYTES[layer.output]
        store = layer.m * blocks_n * memory.occupied(memory.beats(0, row_bytes))
        waits = (blocks_m * blocks_n * blocks_k) * (memory.latency + 16)
        whole = multiply_cycles(
            self.accelerator,
            self.reduction.mode,
            min(self.rows, layer.m),
            ceil_div(min(self.columns, layer.n), tile.n),
            self.segments,
            ceil_div(min(self.reduction.segment, layer.k), self.reduction.step),
            ceil_div(self.depth - (self.segments - 1) * self.reduction.segment, self.reduction.step),
        )
        share = layer.m * layer.n * layer.k / (self.rows * self.columns * self.depth)
        compute = int(whole * min(share, blocks_m * blocks_n * blocks_k))
        fill = (activation + weight) // (blocks_m * blocks_n * blocks_k) + store // (blocks_m * blocks_n)
        return max(activation + weight + store + waits, compute) + fill


def _sizes(unit: int, total: int) -> Iterator[int]:
    """Yield block sizes for a dimension: `unit` doubled until it covers `total`, which is the last."""
    size = unit
    while size < total:
        yield size
        size *= 2
    yield total


@lru_cache
def choose(layer: Layer, accelerator: Accelerator) -> Blocking:
    """Return the blocking of `layer` with the fewest estimated cycles among those that fit the buffers.

    Raises
    ------
    InputError : if not even the smallest block fits; it names the buffer and the size that would do.
    """
    tile = accelerator.tile
    summed = reduction(layer, accelerator)
    unit = summed.segment if summed.scaled else summed.step
    best: Blocking | None = None
    for depth in _sizes(unit, layer.k):
        for rows in _sizes(tile.m, layer.m):
            for columns in _sizes(tile.n, layer.n):
                for weights_first in (True, False):
                    candidate = Blocking(layer, accelerator, rows, columns, depth, weights_first)
                    if not candidate.fits:
                        break
                    if best is None or candidate.cycles <= best.cycles:
                        best = candidate
                else:
                    continue
                break  # more columns take more room: they do not fit either
    if best is not None:
        return best
    smallest = Blocking(
        layer, accelerator, min(tile.m, layer.m), min(tile.n, layer.n), min(unit, layer.k), weights_first=True
    )
    for name, words in smallest.slots.items():
        depth = accelerator.depths[name]
        if SLOTS * words > depth:
            size = getattr(accelerator.buffers, name)
            raise InputError(
                f"layer {layer.name!r}: its smallest block does not fit accelerator {accelerator.name!r}: "
                f"buffers.{name} is {size} bytes, it must be at least {ceil_div(size * SLOTS * words, depth)}"
                + (f", or use groups smaller than {layer.group}" if summed.scaled and name in _BY_DEPTH else "")
            )
    raise InputError(f"layer {layer.name!r}: a group of {layer.group} is too long for one instruction")
