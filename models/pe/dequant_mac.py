"""Weights dequantized to fp16 in front of a floating-point cell: what cells that dequantize later are compared with.

A weight is fp16((q - z) s), rounded once, to nearest even; a column does that for all of its cells, with the scale and
the zero point that came as a header. The products with fp16 activations are exact in float32.

Operands are finite; codes of infinity and NaN count as the numbers of one more binade.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..formats import scalar
from ..qtensor import QTensor
from .fixed import fixed_point, numbers
from .floats import FloatPE
from .headers import insert, read
from .integer import check_scales
from .mode import Mode

FIELDS = ((1, 16), (1, 4))
"""What a header holds: one scale of 16 bits, one zero point of 4."""
PRECISION = 11


@dataclass(frozen=True)
class DequantMac(FloatPE):
    """Description and arithmetic of a cell that multiplies fp16 by dequantized weights of 4 bits."""

    name: ClassVar[str] = "dequant_mac"
    activation_bits: ClassVar[int] = 16
    plane_bits: ClassVar[int] = 4
    prepare_latency: ClassVar[int] = 2

    @cached_property
    def modes(self) -> tuple[Mode, ...]:
        """Operand formats, preferred first."""
        words = -(-sum(count * bits for count, bits in FIELDS) // (self.lanes * self.plane_bits))
        return tuple(Mode(weight, "fp16", interval=1, column_header=words, scale="") for weight in ("int4", "uint4"))

    def planes(self, numbers: NDArray[np.integer], mode: Mode) -> NDArray[np.uint8]:
        """Return weights as the scratchpad stores them, in one plane of 4 bits: [1, ...]."""
        return (np.asarray(numbers) & 15).astype(np.uint8)[None]

    def weights(self, planes: NDArray[np.integer], mode: Mode) -> NDArray[np.int64]:
        """Return the weights that `planes` came from."""
        return scalar(mode.weight).integers(planes[0])

    def weight_operands(self, w: QTensor, mode: Mode) -> NDArray[np.int64]:
        """Return the numbers of weights [K, N] with a header before each segment: [K', N].

        Raises
        ------
        InputError : if a scale is negative or not finite, or a weight too large for fp16.
        """
        check_scales(self.name, w)
        k, segment = w.shape[0], self.segment(mode, w.format.group)
        segments = -(-k // segment)
        scales = w.scale_values if w.format.group else np.ones((1, w.shape[1]))
        points = np.zeros(scales.shape, np.int64) if w.zero_points is None else w.zero_points.astype(np.int64)
        spread = np.repeat(np.arange(len(scales)), segment if w.format.group else k)[:k]
        largest = np.abs((w.numbers() - points[spread]) * scales[spread]).max(initial=0)
        if largest >= 65520:
            raise InputError(f"{self.name}: a weight is {largest:g}, which fp16 cannot hold")
        codes, points = (
            np.broadcast_to(each, (segments, w.shape[1])).T for each in (scalar("fp16").encode(scales), points)
        )
        fields = [(each, bits) for each, (_, bits) in zip((codes, points), FIELDS, strict=True)]
        length = mode.column_header * self.lanes
        return insert(w.numbers().T, segment, fields, self.plane_bits, length).T

    def unit_headers(self, mode: Mode) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the headers of a row, which has none, and of a column with scale 1 and zero point 0."""
        fields = [(np.array([[number]]), bits) for number, (_, bits) in zip((0x3C00, 0), FIELDS, strict=True)]
        length = mode.column_header * self.lanes
        return np.zeros(0, np.int64), insert(np.zeros((1, 1), np.int64), 1, fields, self.plane_bits, length)[0, :length]

    def dot(self, a: NDArray[np.integer], q: NDArray[np.integer], mode: Mode) -> NDArray[np.float32]:
        """Return the sums of a segment, [..., M, N]. a : [..., M, k]; q : a header and weights, [..., k', N]."""
        left, right = _values(a), self.dequantized(q, mode)
        return self.sums(a.shape[-1], lambda part: left[..., part, None] * right[..., None, part, :])

    def dequantized(self, q: NDArray[np.integer], mode: Mode) -> NDArray[np.float32]:
        """Return weights as the cells get them, [..., k, N], of a header and weights, [..., k', N]."""
        header = mode.column_header * self.lanes
        scale, point = read(q[..., :header, :].swapaxes(-1, -2), self.plane_bits, FIELDS)
        point = scalar(mode.weight).integers(point)
        units = (q[..., header:, :] - point.swapaxes(-1, -2)) * numbers(scale, "fp16").swapaxes(-1, -2)
        significand, exponent = np.frexp(units.astype(np.float64))
        rounded = np.ldexp(np.rint(np.ldexp(significand, PRECISION)), exponent - PRECISION)
        return np.ldexp(rounded, fixed_point("fp16").exponent).astype(np.float32)


def _values(codes: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return the values of fp16 codes; an exponent of all ones is one like the others."""
    return np.ldexp(numbers(codes, "fp16").astype(np.float64), fixed_point("fp16").exponent).astype(np.float32)
