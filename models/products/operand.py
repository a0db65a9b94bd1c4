"""One side of a matrix product: what varies along K, and the scales that wait until the sum is done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import formats
from ..errors import InputError
from ..qtensor import QTensor
from . import ranges
from .ranges import Float, Range, span

Source = QTensor | tuple[formats.Format | str, ArrayLike]
"""A quantized tensor, or a scalar format (or its name) and codes."""


@dataclass(frozen=True, eq=False)
class Operand:
    """A matrix whose values are (element - zero point) * inner * scale * outer.

    Parameters
    ----------
    format : format of the elements.
    codes : codes of the elements, [M, K] or [K, N].
    axis : which of the two is K.
    zero_points, inner : for each element, or broadcasting to the elements; None if there are none.
    block : how many elements along K share one of `scales`; None if nothing scales parts of K.
    scales : scale of each block, in the shape of `codes` with K reduced to the number of blocks. `inner` are the scales
        of finer levels, which belong to the sum of a block.
    outer : scales that do not vary along K, broadcasting to the product; None if there are none.
    name : name of the whole format.
    """

    format: formats.Format
    codes: NDArray[np.unsignedinteger]
    axis: int
    name: str
    zero_points: Float | None = None
    inner: Float | None = None
    block: int | None = None
    scales: Float | None = None
    outer: Float | None = None

    @property
    def k(self) -> int:
        return self.codes.shape[self.axis]

    def elements(self, dtype: DTypeLike = np.float64) -> Float:
        """Return the elements without the scales of blocks; `dtype` is one that `element_range` or `observed` fits."""
        whole = ranges.of(self.format)
        direct = whole is not None and whole.exact_in(dtype)
        values = self.format.decode(self.codes, dtype if direct else np.float64)
        if self.zero_points is not None:
            values = values - self.zero_points
        if self.inner is not None:
            values = values * self.inner
        return values.astype(dtype, copy=False)

    def values(self, dtype: DTypeLike = np.float64) -> Float:
        """Return the elements times the scales of their blocks, without outer scales; `dtype` as `value_range` fits."""
        values = self.elements(dtype)
        if self.scales is not None and self.block is not None:
            values *= _spread(self.scales.astype(dtype), self.block, self.k, self.axis)
        return values

    def element_range(self, observed: bool = False) -> Range:
        """Return the range of `elements`: of all that their format has, or of those that occur."""
        found = None if observed else ranges.of(self.format)
        if found is None:
            found = self._observed()
        if self.zero_points is not None:
            # Zero points are integers, and the unit of integer formats is 1 or a fraction of it.
            furthest = int(np.abs(self.zero_points).max(initial=0)) << -min(found.exponent, 0)
            found = Range(min(found.exponent, 0), found.largest + furthest)
        return found if self.inner is None else found * span(self.inner)

    def value_range(self, observed: bool = False) -> Range:
        """Return the range of `values`, likewise; block scales are always those that occur."""
        elements = self.element_range(observed)
        return elements if self.scales is None else elements * span(self.scales)

    def _observed(self) -> Range:
        if self.format.bits > 16:
            return span(self.format.decode(self.codes))
        occurs = np.zeros(1 << self.format.bits, bool)
        occurs[self.codes] = True
        return span(self.format.values()[occurs])


def operand(source: Source, axis: int, side: str) -> Operand:
    """Return `source` as the side of a product of which K is `axis`; `side` is what messages call it.

    Raises
    ------
    InputError : if it is not a matrix, its scales vary along the other axis only, or its format or codes are wrong.
    """
    if not isinstance(source, QTensor):
        name, codes = source
        format = name if isinstance(name, formats.Format) else formats.scalar(name)
        return Operand(format, _matrix(format.checked_codes(codes), side), axis, format.name)
    # Scales are spread in this layout, and NumPy is slow with two at once.
    codes = np.ascontiguousarray(_matrix(source.codes, side))
    block_format = source.format
    if source.axis != axis and not block_format.per_tensor:
        raise InputError(f"{side} has its {block_format.name} scales along axis {source.axis}; K is axis {axis}")
    block: int | None = None
    inner: Float | None = None
    scales: Float | None = None
    outer: Float | None = None
    for level, level_codes in zip(block_format.levels, source.levels, strict=True):
        factor = level.scale.decode(level_codes)
        if not isinstance(level.extent, int):
            outer = factor if outer is None else outer * factor
        elif block is None:
            block, scales = level.extent, factor
        else:
            fine = _spread(factor, level.extent, source.shape[axis], axis)
            inner = fine if inner is None else inner * fine
    zero_points: Float | None = None
    if source.zero_points is not None:
        zero_points = source.zero_points.astype(np.float64)
        if block_format.group is not None:
            zero_points = _spread(zero_points, block_format.group, source.shape[axis], axis)
    return Operand(block_format.element, codes, axis, block_format.name, zero_points, inner, block, scales, outer)


def _spread(values: Float, extent: int, length: int, axis: int) -> Float:
    """Return what is given for every `extent` elements along an axis of `length`, for each of them."""
    spread = values.repeat(extent, axis=axis)
    return spread[:length] if axis == 0 else spread[:, :length]


def _matrix(codes: NDArray, side: str) -> NDArray:
    if codes.ndim != 2:
        raise InputError(f"{side} has shape {codes.shape}; a matrix product takes two axes")
    return codes
