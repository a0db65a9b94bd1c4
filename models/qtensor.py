"""The quantized tensor: codes, their format and their scales. Nothing else crosses from numbers to hardware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

if TYPE_CHECKING:
    from .formats import BlockFormat


@dataclass(frozen=True, eq=False)
class QTensor:
    """A tensor of a block format: an element is worth its code, less a zero point, times a scale of each level.

    Parameters
    ----------
    codes : codes of the elements, unsigned, any shape with at least one axis.
    format : block format of the tensor.
    scales : codes of the finest scales, in the shape of `codes` with `axis` reduced to the number of groups; every axis
        reduced to 1 where one scale serves the tensor.
    zero_points : int32 zero points in the shape of `scales`; None if the format has none.
    axis : the axis along which groups lie, not negative.
    coarse : codes of the other levels of scales, coarse to fine, each shaped like `scales` for its own extent.

    Raises
    ------
    InputError : if the shapes disagree, or zero points or levels of scales are missing or unexpected.
    """

    codes: NDArray[np.unsignedinteger]
    format: BlockFormat
    scales: NDArray[np.unsignedinteger]
    zero_points: NDArray[np.int32] | None
    axis: int
    coarse: tuple[NDArray[np.unsignedinteger], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.axis < self.codes.ndim:
            raise InputError(f"axis {self.axis} does not exist in codes of shape {self.shape}")
        given, needed = len(self.levels), len(self.format.levels)
        if given != needed:
            raise InputError(f"{self.format.name} needs {needed} levels of scales, not {given}")
        if (self.zero_points is not None) != self.format.zero_point:
            raise InputError(f"{self.format.name} {'needs' if self.format.zero_point else 'has no'} zero points")
        extents = [level.extent for level in self.format.levels]
        for kind, values, extent in (
            *(("scales", values, extent) for values, extent in zip(self.levels, extents, strict=True)),
            ("zero points", self.zero_points, extents[-1]),
        ):
            expected = self._shape_of(extent)
            if values is not None and values.shape != expected:
                raise InputError(
                    f"{kind} of shape {values.shape} do not fit {self.format.name}, which needs {expected}"
                )

    @property
    def shape(self) -> tuple[int, ...]:
        return self.codes.shape

    @property
    def levels(self) -> tuple[NDArray[np.unsignedinteger], ...]:
        """Codes of all levels of scales, coarse to fine."""
        return (*self.coarse, self.scales)

    @property
    def groups(self) -> int:
        """Number of groups along the axis, each of which has one of the finest scales."""
        return self.scales.shape[self.axis]

    @property
    def scale_values(self) -> NDArray[np.float64]:
        """Products of the scales of all levels, in the shape of `scales`: exact, for no format exceeds float64."""
        product, coarser = np.ones((1,) * self.codes.ndim), 1
        for level, codes in zip(self.format.levels, self.levels, strict=True):
            extent = level.extent if isinstance(level.extent, int) else 1
            product = self._spread(product, codes.shape[self.axis], coarser // extent) * level.scale.decode(codes)
            coarser = extent
        return product

    def integers(self) -> NDArray[np.int64]:
        """Return the elements as signed integers, zero points not subtracted and fraction bits not divided off.

        Raises
        ------
        InputError : if the elements are not integers.
        """
        return self.format.element.integers(self.codes)

    def numbers(self) -> NDArray[np.integer]:
        """Return the elements as processing elements take them: integers, or codes of a format that is none."""
        return self.format.element.numbers(self.codes)

    def dequantize(self) -> NDArray[np.float64]:
        """Return the values: exact, since a product of scales and element fits float64. NaN where a scale is NaN."""
        elements = self.format.element.decode(self.codes)
        count, group = self.shape[self.axis], self.format.group or 1
        if self.zero_points is not None:
            elements = elements - self._spread(self.zero_points, count, group)
        return elements * self._spread(self.scale_values, count, group)

    def _shape_of(self, extent: int | str) -> tuple[int, ...]:
        """Return the shape of what is given for every `extent` elements."""
        if extent == "tensor":
            return (1,) * self.codes.ndim
        length = self.shape[self.axis]
        count = -(-length // extent) if isinstance(extent, int) else 1
        return (*self.shape[: self.axis], count, *self.shape[self.axis + 1 :])

    def _spread(self, values: NDArray, count: int, extent: int) -> NDArray:
        """Return what is given for every `extent` of `count` finer parts along the axis, once for each of them."""
        if values.shape[self.axis] == 1:
            return values
        return values.take(np.arange(count) // extent, axis=self.axis)
