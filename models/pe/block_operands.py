"""What processing elements of blocks take: their formats, and operands with the headers of their blocks.

Operands are codes. A row's come with a header: the scale of the block in the lowest bits of a word and above it the
scales of finer levels, if the format has any. A column's header are those finer scales; the scale of its block is a
parameter of the segment. Headers are cut into codes as wide as an element in memory: 4, 8 or 16 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import mul
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..formats import BlockFormat, parse, scalar
from ..products import ranges
from ..products.ranges import Range
from ..qtensor import QTensor
from .description import PE
from .headers import insert, levels, read, stored_bits
from .mode import Mode
from .output import FORMATS


@dataclass(frozen=True)
class Blocks(PE):
    """Description of a cell that multiplies blocks of one format, or of several, and its operands.

    Parameters
    ----------
    lanes : words of each operand that a cell takes in one step.
    format : block format of both operands; several that share a cell are joined by ``+``: ``mxfp8_e4m3+nvfp4``.

    Raises
    ------
    InputError : if there are no lanes, or a format is unknown, given twice or none of this kind.
    """

    lanes: int = 4
    format: str = ""

    name: ClassVar[str]
    recipes: ClassVar[tuple[str, ...]]
    """How formats of this kind are quantized, see `formats.block.RECIPES`."""
    prepare_latency: ClassVar[int] = 1
    dot_latency: ClassVar[int] = 1
    finish_latency: ClassVar[int] = 10
    outputs: ClassVar[tuple[str, ...]] = FORMATS

    def __post_init__(self) -> None:
        self._check_positive("lanes")
        names = [each.name for each in self.formats]
        if len(set(names)) < len(names):
            raise InputError(f"{self.name}: {self.format} names a format twice")

    @cached_property
    def formats(self) -> tuple[BlockFormat, ...]:
        """Block formats, in the order of the modes."""
        found = [parse(name.strip()) for name in self.format.split("+")]
        for each in found:
            if not isinstance(each, BlockFormat) or each.recipe not in self.recipes or each.block is None:
                raise InputError(f"{self.name} takes blocks such as {type(self).format}, not {each.name}")
        return tuple(each for each in found if isinstance(each, BlockFormat))

    @cached_property
    def modes(self) -> tuple[Mode, ...]:
        """A mode for each format. Narrow elements lie side by side in a lane's word."""
        word, modes = self.lanes * self.activation_bits, []
        for each in self.formats:
            scale, *finer = (level.scale.bits * count for level, count in levels(each))
            modes.append(
                Mode(
                    each.name,
                    each.name,
                    interval=1,
                    packing=self.activation_bits // stored_bits(each.element),
                    row_header=-(-(scale + sum(finer)) // word),
                    column_header=-(-sum(finer) // word),
                    scale=levels(each)[0][0].scale.name,
                )
            )
        return tuple(modes)

    @property
    def activation_bits(self) -> int:
        """Bits of a lane's word."""
        return max(8, *(stored_bits(each.element) for each in self.formats))

    @property
    def plane_bits(self) -> int:
        """Bits of a lane's word."""
        return self.activation_bits

    @property
    def group(self) -> int:
        """Elements of the longest block."""
        return max(self.longest(mode) for mode in self.modes)

    @property
    def unit_scale(self) -> int:
        """Code of the scale 1 in the first mode."""
        return int(scalar(self.modes[0].scale).encode(1.0))

    @cached_property
    def accumulator_bits(self) -> int:
        """Bits of the sum of a block, in units of the least product."""
        sums = [element_range(self.block_format(mode)) for mode in self.modes]
        return 1 + max((each * each * self.longest(mode)).bits for each, mode in zip(sums, self.modes, strict=True))

    def block_format(self, mode: Mode) -> BlockFormat:
        """Return the block format of a mode."""
        return self.formats[self.modes.index(mode)]

    def longest(self, mode: Mode) -> int:
        """Return how many products the accumulator surely holds: those of a block."""
        return self.block_format(mode).block or 1

    def segment(self, mode: Mode, group: int | None) -> int:
        """Return how many products are summed before they finish: those of a block."""
        return self.longest(mode)

    def activation_operands(self, a: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return the codes of activations [M, K] with a header before each block: [M, K'].

        Raises
        ------
        InputError : if they are not a matrix in blocks of the mode's format along K.
        """
        self._check("activations", a, 1, mode)
        return self._operands(a.codes, a.levels, 0, mode)

    def weight_operands(self, w: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return the codes of weights [K, N] with a header before each block, if there are finer scales: [K', N].

        Raises
        ------
        InputError : if they are not a matrix in blocks of the mode's format along K, or not finite.
        """
        self._check("weights", w, 0, mode)
        if not (finite := np.isfinite(w.format.element.decode(w.codes))).all():
            wrong = w.codes[~finite].flat[0]
            raise InputError(f"{self.name}: a weight is the code {wrong:#x} of {w.format.element.name}, not finite")
        return self._operands(w.codes.T, [level.T for level in w.levels], 1, mode).T

    def check_operands(self, a: NDArray[np.integer], w: QTensor, mode: Mode) -> None:
        """Do nothing: activations may be anything, and weights are checked where they become operands."""

    def segment_scales(self, w: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return the codes of the scales of blocks of weights, [K / block, N]."""
        return w.levels[-len(levels(w.format))]

    def unit_headers(self, mode: Mode) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the headers of a row and of a column whose scales are all 1."""
        format = self.block_format(mode)
        ones = [np.full((1, count), int(level.scale.encode(1.0))) for level, count in levels(format)]
        row, column = (
            self._operands(np.zeros((1, self.longest(mode)), np.int64), ones, skip, mode)[0] for skip in (0, 1)
        )
        return row[: self.length(mode.row_header, mode)], column[: self.length(mode.column_header, mode)]

    def _operands(
        self, codes: NDArray[np.integer], scales: Sequence[NDArray[np.integer]], skip: int, mode: Mode
    ) -> NDArray[np.int64]:
        """Return codes [R, K] with headers of the scales of all levels of blocks but the first `skip`."""
        format = self.block_format(mode)
        counted, blocks = levels(format), -(-codes.shape[1] // self.longest(mode))
        fields = []
        for each, (level, count) in [*zip(scales[-len(counted) :], counted, strict=True)][skip:]:
            # The last block may be shorter than the others, and have fewer of the finer scales.
            whole = np.pad(each, [(0, 0), (0, blocks * count - each.shape[1])])
            fields.append((whole, level.scale.bits))
        words = mode.column_header if skip else mode.row_header
        return insert(codes, self.longest(mode), fields, stored_bits(format.element), self.length(words, mode))

    def length(self, words: int, mode: Mode) -> int:
        """Return how many operands so many words of a header are as long as."""
        return words * self.lanes * mode.packing

    def scales(self, operands: NDArray[np.integer], skip: int, mode: Mode) -> list[NDArray[np.int64]]:
        """Return the codes of scales in the headers of [..., R, K'], coarse to fine, each [..., R, count]."""
        format = self.block_format(mode)
        header = operands[..., : self.length(mode.column_header if skip else mode.row_header, mode)]
        fields = [(count, level.scale.bits) for level, count in levels(format)][skip:]
        return read(header, stored_bits(format.element), fields)

    def _check(self, what: str, tensor: QTensor, axis: int, mode: Mode) -> None:
        if tensor.format.name != mode.weight:
            raise InputError(f"{self.name}: {what} are {tensor.format.name}, not {mode.weight}")
        if len(tensor.shape) != 2 or tensor.axis != axis:
            raise InputError(
                f"{self.name}: {what} of shape {tensor.shape} have their blocks along axis {tensor.axis}, not {axis}"
            )


def element_range(format: BlockFormat) -> Range:
    """Return the range of elements times the finer scales of their block."""
    found = [ranges.of(each) for each in (format.element, *(level.scale for level, _ in levels(format)[1:]))]
    return reduce(mul, (each for each in found if each is not None))
