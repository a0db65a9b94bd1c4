"""Where a layer's operands lie in memory, and their bytes: the order in which the load instructions read them.

Activations and results are images of [height][width][channels] elements, with a border of zeros as wide as the padding
of the layer that reads them. Weights are words as the weight scratchpad takes them, block after block; each block is
one run of bytes, and so are its parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..network import Layer
from ..pe.words import pack
from ..qtensor import QTensor
from .blocking import Blocking
from .isa import OUTPUT_BYTES
from .reduction import ceil_div, round_up


@dataclass(frozen=True)
class Image:
    """A batch of images in memory.

    Parameters
    ----------
    address : byte of the first element, border included.
    batch, height, width, channels : shape without border.
    border : width of the border of zeros, in pixels.
    bits : bits of an element; those of a pixel fill whole bytes, the last one with zeros.
    """

    address: int
    batch: int
    height: int
    width: int
    channels: int
    border: int = 0
    bits: int = 8

    @property
    def pixel(self) -> int:
        """Bytes of a pixel."""
        return ceil_div(self.channels * self.bits, 8)

    @property
    def line(self) -> int:
        """Bytes of a line of pixels, border included."""
        return (self.width + 2 * self.border) * self.pixel

    @property
    def size(self) -> int:
        """Bytes of the batch, borders included."""
        return self.batch * (self.height + 2 * self.border) * self.line

    def at(self, batch: int, row: int, column: int) -> int:
        """Return the address of a pixel; row and column count from the first pixel of the border."""
        return self.address + (batch * (self.height + 2 * self.border) + row) * self.line + column * self.pixel

    def bytes(self, elements: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return elements [..., channels] as the bytes of their pixels."""
        each = max(8 // self.bits, 1)
        room = np.zeros((*elements.shape[:-1], round_up(self.channels, each)), np.int64)
        room[..., : self.channels] = elements
        return pack(room, self.bits)

    def view(self, memory: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a view of the pixels in `memory`, [batch, height, width, bytes of a pixel], without the border."""
        whole = memory[self.address : self.address + self.size].reshape(
            self.batch, self.height + 2 * self.border, self.width + 2 * self.border, self.pixel
        )
        return whole[:, self.border : self.border + self.height, self.border : self.border + self.width]


def input_image(blocking: Blocking, address: int) -> Image:
    """Return the image that a layer reads, lying at `address`; headers of blocks count as channels."""
    layer, channels = blocking.layer, blocking.stored(blocking.layer.channels)
    return Image(address, layer.batch, layer.height, layer.width, channels, layer.padding, blocking.activation_bits)


def output_image(layer: Layer, address: int, border: int = 0) -> Image:
    """Return the image that `layer` writes, lying at `address`, with the border that its reader wants."""
    return Image(
        address, layer.batch, layer.out_height, layer.out_width, layer.n, border, 8 * OUTPUT_BYTES[layer.output]
    )


def output_border(layer: Layer, following: Layer | None) -> int:
    """Return the border that the results of `layer` are stored with: the padding of the layer that reads them."""
    if following is None or not takes(following, layer):
        return 0
    return following.padding


def takes(following: Layer, layer: Layer) -> bool:
    """Return whether the images of `following` are the results of `layer`, or those flattened."""
    given = (layer.batch, layer.out_height, layer.out_width, layer.n)
    flattened = layer.out_height * layer.out_width * layer.n
    taken = (following.batch, following.height, following.width, following.channels)
    flat = taken in ((layer.batch, 1, 1, flattened), (1, 1, layer.batch, flattened))
    return taken == given or (flat and following.padding == 0)


@dataclass(frozen=True)
class Placement:
    """The memory that one layer uses."""

    blocking: Blocking
    input: Image
    output: Image
    weights: int
    columns: int
    groups: int

    @staticmethod
    def sizes(blocking: Blocking) -> tuple[int, int, int]:
        """Return the bytes of the weights, of the column parameters and of the group parameters."""
        layer, accelerator = blocking.layer, blocking.accelerator
        tiles = ceil_div(layer.n, accelerator.tile.n)
        words = tiles * blocking.words(layer.k)
        segments = tiles * _segments(blocking, layer.k) if blocking.reduction.parameters else 0
        return (
            words * accelerator.weight_word,
            2 * tiles * accelerator.column_word,
            segments * accelerator.column_word,
        )

    @cached_property
    def word_counts(self) -> tuple[int, int]:
        """Weight words and segments of a column tile over the whole reduction."""
        blocking = self.blocking
        return blocking.words(blocking.layer.k), _segments(blocking, blocking.layer.k)

    def weight_block(self, column: int, columns: int, depth: int) -> int:
        """Return the address of the weights of a block of `columns` columns from `column` on, from `depth` on in K."""
        blocking = self.blocking
        accelerator = blocking.accelerator
        before = blocking.words(depth)
        return self.weights + accelerator.weight_word * self._words(column, columns, before, self.word_counts[0])

    def group_block(self, column: int, columns: int, depth: int) -> int:
        """Return the address of the scales and zero points of the same block."""
        before = _segments(self.blocking, depth)
        return self.groups + self.blocking.accelerator.column_word * self._words(
            column, columns, before, self.word_counts[1]
        )

    def column_block(self, column: int) -> int:
        """Return the address of the bias and the multipliers of the block of columns from `column` on."""
        accelerator = self.blocking.accelerator
        return self.columns + 2 * column // accelerator.tile.n * accelerator.column_word

    def _words(self, column: int, columns: int, before: int, per_tile: int) -> int:
        n = self.blocking.accelerator.tile.n
        return column // n * per_tile + ceil_div(columns, n) * before


def _segments(blocking: Blocking, depth: int) -> int:
    """Return the segments of the first `depth` products; every block starts a new segment."""
    whole, rest = divmod(depth, blocking.depth)
    return whole * blocking.segments + ceil_div(rest, blocking.reduction.segment)


def blocks(total: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield start and length of the blocks of `size` that cover `total`."""
    return ((start, min(size, total - start)) for start in range(0, total, size))


def pack_weights(blocking: Blocking, weights: QTensor) -> NDArray[np.uint8]:
    """Return the bytes of the weights [K, N] in the order of the load instructions; beyond K and N they are 0."""
    accelerator, layer, mode = blocking.accelerator, blocking.layer, blocking.reduction.mode
    k, n = blocking.reduction.step, accelerator.tile.n
    numbers = accelerator.pe.weight_operands(weights, mode)
    # A block, with its headers, fills whole words.
    depth = min(blocking.depth + blocking.segments * mode.column_header * k, len(numbers))
    count, width = ceil_div(len(numbers), depth), ceil_div(layer.n, n) * n
    padded = np.zeros((count * depth, width), dtype=np.int64)
    padded[: len(numbers), : layer.n] = numbers
    room = np.zeros((count, round_up(depth, k * mode.steps), width), dtype=np.int64)
    room[:, :depth] = padded.reshape(count, depth, width)
    planes = accelerator.pe.planes(room.reshape(-1, width), mode)
    # [plane, step, lane, tile, column] -> [tile, step, plane, column, lane]: a word holds the lanes of each column.
    words = planes.reshape(len(planes), -1, k, width // n, n).transpose(3, 1, 0, 4, 2)
    packed = pack(words.reshape(*words.shape[:3], n * k), accelerator.pe.plane_bits // mode.packing)
    by_word = packed.reshape(width // n, -1, accelerator.weight_word)
    parts = [
        by_word[column // n : ceil_div(column + columns, n), blocking.words(start) : blocking.words(start + length)]
        for column, columns in blocks(layer.n, blocking.columns)
        for start, length in blocks(layer.k, blocking.depth)
    ]
    return np.concatenate([part.reshape(-1) for part in parts])


def pack_groups(blocking: Blocking, weights: QTensor) -> NDArray[np.uint8]:
    """Return the bytes of the group parameters: code of the scale in bits 15..0, zero point in bits 24..16."""
    summed, n, layer = blocking.reduction, blocking.accelerator.tile.n, blocking.layer
    if not summed.parameters:
        return np.zeros(0, dtype=np.uint8)
    scales = blocking.accelerator.pe.segment_scales(weights, summed.mode)
    table = np.zeros((len(scales), ceil_div(layer.n, n) * n), dtype=np.uint32)
    if summed.scaled:
        table[:, : layer.n] |= scales.astype(np.uint32)
    if weights.zero_points is not None:
        table[:, : layer.n] |= (weights.zero_points.astype(np.int64) & 0x1FF).astype(np.uint32) << np.uint32(16)
    parts = []
    for column, columns in blocks(layer.n, blocking.columns):
        tiles = slice(column, column + ceil_div(columns, n) * n)
        for start, length in blocks(layer.k, blocking.depth):
            count = ceil_div(length, summed.segment)
            first = start // summed.segment
            rows = table[first : first + count, tiles] if summed.grouped else np.repeat(table[:1, tiles], count, axis=0)
            parts.append(rows.reshape(count, -1, n).transpose(1, 0, 2).reshape(-1))
    return np.concatenate(parts).view(np.uint8)


def pack_columns(
    blocking: Blocking, bias: NDArray, multiplier: NDArray[np.uint16], shift: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return the bytes of the column parameters: a block's biases (int32 or float32), then its multipliers.

    A multiplier's word has b in bits 15..0 and c in bits 21..16.
    """
    n, layer = blocking.accelerator.tile.n, blocking.layer
    width = ceil_div(layer.n, n) * n
    words = np.zeros((2, width), dtype=np.uint32)
    kind = np.float32 if blocking.reduction.scaled else np.int32
    words[0, : layer.n] = (np.asarray(bias, dtype=kind) + kind(0)).view(np.uint32)  # adding 0 turns -0 into +0
    words[1, : layer.n] = multiplier.astype(np.uint32) | shift.astype(np.uint32) << np.uint32(16)
    parts = [
        words[row, column : column + ceil_div(columns, n) * n]
        for column, columns in blocks(layer.n, blocking.columns)
        for row in (0, 1)
    ]
    return np.concatenate(parts).view(np.uint8)
