"""The arithmetic of processing elements that multiply blocks: the exact sum of a block, times the scales of both sides.

y = sum over blocks b of s_b t_b * (sum_k a_k w_k). The sum in brackets is exact; its product with the two scales is
rounded once to float32, and so is its addition to the total. `products.matmul` with ``accumulate="fp32"`` is the same.

An activation that is infinite or NaN makes the scale of its block NaN, and thereby the total, for good. Weights like
that are refused: a quantizer has put the NaN into the scale. Scales of whole tensors are left to the output stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats import scalar
from ..products import exact, limbs
from ..products.ranges import Float
from .block_operands import Blocks, element_range
from .headers import levels
from .mode import Mode


@dataclass(frozen=True)
class BlockPE(Blocks):
    """Description and exact arithmetic of a cell that multiplies blocks; see `Blocks` for its parameters."""

    def prepare(self, a: NDArray[np.integer], mode: Mode) -> NDArray[np.int64]:
        """Return the codes of the scales of a block of activations; that of NaN where one of them is not finite.

        a : a header and a block, [..., M, k']; returns [..., M].
        """
        codes = self.scales(a, 0, mode)[0][..., 0]
        elements = self.block_format(mode).element.decode(a[..., self.length(mode.row_header, mode) :])
        return np.where(np.isfinite(elements).all(axis=-1), codes, int(scalar(mode.scale).nan or 0))

    def dot(self, a: NDArray[np.integer], q: NDArray[np.integer], mode: Mode) -> Float:
        """Return the sums of a block: exact, or rounded to odd where float64 does not hold them.

        To odd, rounding once more gives what rounding the exact sum would have given. What is not finite counts as 0.

        a : a header and a block, [..., M, k']; q : likewise, [..., k', N]; returns [..., M, N].
        """
        reach, k = element_range(self.block_format(mode)), self.longest(mode)
        left = self._values(a, 0, mode)
        right = self._values(q.swapaxes(-1, -2), 1, mode).swapaxes(-1, -2)
        if (dtype := exact.single(k, reach, reach)) is None:
            return limbs.product(left, right, reach, reach, odd=True)
        return (left.astype(dtype) @ right.astype(dtype)).astype(np.float64)

    def _values(self, operands: NDArray[np.integer], skip: int, mode: Mode) -> Float:
        """Return the elements of [..., R, k'] times their finer scales, [..., R, k]."""
        format = self.block_format(mode)
        words = mode.column_header if skip else mode.row_header
        values = format.element.decode(operands[..., self.length(words, mode) :])
        values = np.where(np.isfinite(values), values, 0.0)
        finer = zip(self.scales(operands, skip, mode)[1 - skip :], levels(format)[1:], strict=True)
        for codes, (level, _) in finer:
            assert isinstance(level.extent, int)
            values *= level.scale.decode(codes).repeat(level.extent, axis=-1)[..., : values.shape[-1]]
        return values

    def finish(
        self,
        sums: NDArray[Any],
        activation_sums: NDArray[np.int64],
        zero_points: NDArray[np.integer] | None,
        scales: NDArray[np.floating] | None,
        total: NDArray[np.int32] | NDArray[np.float32],
        mode: Mode,
    ) -> NDArray[np.float32]:
        """Return the totals after one more block: product and sum are each rounded to float32, to nearest even.

        Parameters
        ----------
        sums : [..., M, N] of `dot`.
        activation_sums : codes of the scales of activations, [..., M] of `prepare`.
        zero_points : not used; these formats have none.
        scales : values of the scales of weights, [..., N]; None for 1.
        total : the totals before, [..., M, N]; infinite and NaN ones go as in IEEE 754.
        """
        left = scalar(mode.scale).decode(activation_sums)[..., :, None]
        right = np.ones(1) if scales is None else scales[..., None, :]
        with np.errstate(over="ignore", invalid="ignore"):
            # Scales have at most 4 significant bits, and sums that are not exact meet powers of two.
            result = total.view(np.float32) + (sums * left * right).astype(np.float32)
        return np.where(np.isnan(result), np.float32(np.nan), result)
