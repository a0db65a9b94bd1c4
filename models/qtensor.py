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
    """A tensor of a block format; element i along `axis` has the value scale * (element - zero point) of its group.

    Parameters
    ----------
    codes : codes of the elements, unsigned, any shape with at least one axis.
    format : block format of the tensor.
    scales : codes of the scales, in the shape of `codes` with `axis` reduced to the number of groups; every axis
        reduced to 1 where one scale serves the tensor.
    zero_points : int32 zero points in the shape of `scales`; None if the format has none.
    axis : the axis along which groups lie, not negative.

    Raises
    ------
    InputError : if the shapes disagree, or zero points are missing or unexpected.
    """

    codes: NDArray[np.unsignedinteger]
    format: BlockFormat
    scales: NDArray[np.unsignedinteger]
    zero_points: NDArray[np.int32] | None
    axis: int

    def __post_init__(self) -> None:
        if not 0 <= self.axis < self.codes.ndim:
            raise InputError(f"axis {self.axis} does not exist in codes of shape {self.shape}")
        expected = [1] * self.codes.ndim if self.format.per_tensor else list(self.shape)
        expected[self.axis] = self.groups
        for kind, values in (("scales", self.scales), ("zero points", self.zero_points)):
            if values is not None and list(values.shape) != expected:
                raise InputError(
                    f"{kind} of shape {values.shape} do not fit {self.format.name}, which needs {tuple(expected)}"
                )
        if (self.zero_points is not None) != self.format.zero_point:
            raise InputError(f"{self.format.name} {'needs' if self.format.zero_point else 'has no'} zero points")

    @property
    def shape(self) -> tuple[int, ...]:
        return self.codes.shape

    @property
    def groups(self) -> int:
        """Number of groups along the axis."""
        return 1 if self.format.group is None else -(-self.shape[self.axis] // self.format.group)

    @property
    def scale_values(self) -> NDArray[np.float64]:
        """Values of the scales, in the shape of `scales`."""
        return self.format.scale.decode(self.scales)

    def integers(self) -> NDArray[np.int64]:
        """Return the elements as signed integers, zero points not subtracted."""
        return self.format.element.integers(self.codes)

    def dequantize(self) -> NDArray[np.float64]:
        """Return the values: exact, since a product of scale and element fits float64."""
        elements = self.format.element.decode(self.codes)
        if self.zero_points is not None:
            elements = elements - self._spread(self.zero_points)
        return elements * self._spread(self.scale_values)

    def _spread(self, values: NDArray) -> NDArray:
        """Return what is given for each group, repeated for each element along the axis."""
        if self.groups == 1:
            return values
        group = np.arange(self.shape[self.axis]) // (self.format.group or 1)
        return values.take(group, axis=self.axis)
