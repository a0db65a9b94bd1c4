"""Block formats: many elements of a scalar format that share one scale, and perhaps one zero point.

value = scale * (element - zero point). The integers of group quantization are the block formats furnished here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, unknown
from ..qtensor import QTensor
from .format import Format

CLIPS = ("minmax", "mse")
SHRINKS = np.linspace(0.99, 0.3, 70)
"""Fractions of the min-max scale among which ``"mse"`` chooses."""


@dataclass(frozen=True)
class BlockFormat:
    """Integers quantized in groups along one axis.

    Parameters
    ----------
    name : name that `formats.parse` takes.
    element : integer format of the elements.
    scale : format of the scales; they are finite and positive.
    group : elements that share a scale; ``None`` is the whole axis. The last group of an axis may be shorter.
    zero_point : whether each group has an integer, in the range of the elements, that stands for 0.
    per_tensor : whether one scale serves all axes.
    """

    name: str
    element: Format
    scale: Format
    group: int | None
    zero_point: bool = False
    per_tensor: bool = False

    def quantize(self, x: ArrayLike, axis: int = -1, clip: str = "minmax") -> QTensor:
        """Return `x` rounded to this format.

        Elements are rounded to nearest even with the scale as it is stored, that is after its own rounding.

        Parameters
        ----------
        x : finite real values, any shape with at least one axis.
        axis : the axis along which groups lie.
        clip : ``"minmax"`` takes the least scale that clips nothing; ``"mse"`` takes, for each group, the fraction of
            that scale with the least square error.

        Raises
        ------
        InputError : on an unknown `clip`, an axis that `x` has not, or a value that is not finite.
        """
        x = np.asarray(x, dtype=np.float64)
        if clip not in CLIPS:
            raise unknown("clip", clip, CLIPS)
        if not -x.ndim <= axis < x.ndim:
            raise InputError(f"axis {axis} does not exist in a tensor of shape {x.shape}")
        if not np.isfinite(x).all():
            raise InputError(f"cannot quantize {x[~np.isfinite(x)][0]} to {self.name}; all values must be finite")

        moved = np.moveaxis(x, axis, -1)
        groups = moved.reshape(*[1] * x.ndim, -1) if self.per_tensor else _split(moved, self.group)
        elements, scales, zero_points = self._fit(groups, clip)
        elements = elements.reshape(*elements.shape[:-2], -1)[..., : moved.size if self.per_tensor else moved.shape[-1]]
        return QTensor(
            codes=self.element.encode(np.moveaxis(elements.reshape(moved.shape), -1, axis)),
            format=self,
            scales=np.moveaxis(scales, -1, axis),
            zero_points=np.moveaxis(zero_points, -1, axis).astype(np.int32) if self.zero_point else None,
            axis=axis % x.ndim,
        )

    def _fit(self, groups: NDArray, clip: str) -> tuple[NDArray, NDArray, NDArray]:
        """Return elements [..., groups, group], codes of the scales [..., groups] and zero points [..., groups]."""
        low, high = np.minimum(groups.min(axis=-1), 0.0), np.maximum(groups.max(axis=-1), 0.0)
        least, most = self.element.minimum, self.element.maximum
        if self.zero_point:
            widest = (high - low) / (most - least)
        else:
            widest = np.maximum(high / most if most else 0.0, low / least if least else 0.0)

        best = self._round(groups, widest, low)
        for shrink in SHRINKS if clip == "mse" else ():
            candidate = self._round(groups, shrink * widest, shrink * low)
            better = candidate[0] < best[0]
            best = [np.where(_spread(better, new), new, old) for new, old in zip(candidate, best, strict=True)]
        _, elements, scales, zero_points = best
        return elements, scales, zero_points

    def _round(self, groups: NDArray, wanted: NDArray, low: NDArray) -> list[NDArray]:
        """Return the square error of each group, its elements, the code of its scale and its zero point."""
        least, most = self.element.minimum, self.element.maximum
        # A group of zeros takes scale 1; a scale too small for its format must not become 0.
        codes = self.scale.encode(np.where(wanted == 0.0, 1.0, np.maximum(wanted, self.scale.decode(1))))
        scales = self.scale.decode(codes)
        zero_points = np.clip(np.rint(least - low / scales), least, most) if self.zero_point else np.zeros_like(scales)
        elements = np.clip(np.rint(groups / scales[..., None]) + zero_points[..., None], least, most)
        error = (elements - zero_points[..., None]) * scales[..., None] - groups
        return [np.square(error).sum(axis=-1), elements, codes, zero_points]


def _split(x: NDArray, group: int | None) -> NDArray:
    """Return x [..., K] as [..., groups, group], the last group filled up with zeros."""
    length = x.shape[-1]
    size = max(1, min(group or length, length))
    count = -(-length // size)
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, count * size - length)])
    return padded.reshape(*x.shape[:-1], count, size)


def _spread(choice: NDArray, like: NDArray) -> NDArray:
    """Return `choice`, one for each group, with the axes of `like`."""
    return choice.reshape(*choice.shape, *[1] * (like.ndim - choice.ndim))
