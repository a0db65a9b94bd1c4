"""L-Mul (arXiv 2410.00907): products of floats by one integer addition of their fields, and exact sums of them.

A product is that of `dyad.models.formats.lmul`, a code of the operands' format. Its value is a multiple of the format's
least one, and a cell sums such integers exactly (`fixed`): e4m3 in units of 2^-9 takes 19 bits. The paper accumulates
in floating point; the exact sums are ours, and that a column takes the constant from its weights before any cell adds.

The addition can give codes of infinity and NaN; summed, they count as the numbers of one more binade, as a decoder has
them that knows of neither.

Products of bf16 have too wide a range for that: they are summed in float32, in the order of `floats`. There nothing is
infinite: products and sums below the normal range are 0, and those beyond it, codes of infinity and NaN among them, are
the largest number, of the operands' format and of float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import unknown
from ..formats import scalar
from ..formats.lmul import lmul
from .description import PE
from .fixed import fixed_point, numbers
from .floats import LIMITS, add_within, sums
from .mode import Mode
from .output import FORMATS

PIECE = 1 << 20
"""Products that are looked up at a time."""


@dataclass(frozen=True)
class Lmul(PE):
    """Description and exact arithmetic of a cell that adds fields in place of a multiplication.

    Parameters
    ----------
    lanes : products that a cell sums in one step.
    group : products that the accumulator surely holds; of bf16 those after which a cell finishes.
    format : of both operands, one of `formats`.

    Raises
    ------
    InputError : if a size is not positive or the format is none of those.
    """

    lanes: int = 4
    group: int = 128
    format: str = "e4m3"

    name: ClassVar[str] = "lmul"
    formats: ClassVar[tuple[str, ...]] = ("e4m3", "e5m2", "bf16")
    prepare_latency: ClassVar[int] = 1
    unit_scale: ClassVar[int] = 0x3C00
    outputs: ClassVar[tuple[str, ...]] = FORMATS

    @classmethod
    def variants(cls) -> tuple[dict[str, Any], ...]:
        """Return the parameters of circuits for all formats."""
        return tuple({"format": each} for each in cls.formats)

    def __post_init__(self) -> None:
        self._check_positive("lanes", "group")
        if self.format not in self.formats:
            raise unknown(f"format of {self.name}", self.format, self.formats)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The one pair of operand formats, which are the same."""
        return (Mode(self.format, self.format, 1, scale=""),)

    @property
    def activation_bits(self) -> int:
        """Bits of an activation."""
        return scalar(self.format).bits

    @property
    def plane_bits(self) -> int:
        """Bits of a weight."""
        return scalar(self.format).bits

    @property
    def exact(self) -> bool:
        """Whether sums are exact; else they are rounded to float32."""
        return self.format != "bf16"

    @property
    def dot_latency(self) -> int:
        """Cycles of a cell: products and accumulator; if it adds in float32, each level of the tree in between."""
        return 2 if self.exact else 2 + (self.lanes - 1).bit_length()

    @property
    def finish_latency(self) -> int:
        """Cycles of the finish station, which has a float32 to add or makes one first."""
        return 10 if self.exact else 5

    @property
    def accumulator_bits(self) -> int:
        """Bits of the sum of a group."""
        if not self.exact:
            return 32
        return (fixed_point(self.format).largest * self.group).bit_length() + 1

    def longest(self, mode: Mode) -> int:
        """Return how many products the accumulator surely holds."""
        return self.group

    def dot(self, a: NDArray[np.integer], q: NDArray[np.integer], mode: Mode) -> NDArray[Any]:
        """Return the sums of a segment: exact ones in units of the format's least value, int64, or float32.

        a : codes [..., M, k]; q : codes [..., k, N]; returns [..., M, N].
        """
        if not self.exact:
            one, other = (codes.astype(np.uint16) for codes in (a, q))
            return sums(self.lanes, a.shape[-1], lambda part: _values(one[..., part], other[..., part, :]), add_within)
        table, bits = _table(self.format), scalar(self.format).bits
        left, right = a.astype(np.int64)[..., None] << bits, q.astype(np.int64)[..., None, :, :]
        total = np.zeros((*a.shape[:-1], q.shape[-1]), np.int64)
        length = max(PIECE // max(total.size, 1), 1)
        for start in range(0, a.shape[-1], length):
            part = slice(start, start + length)
            total += table[left[..., part, :] | right[..., part, :]].sum(axis=-2)
        return total

    def finish(
        self,
        sums: NDArray[Any],
        activation_sums: NDArray[np.int64] | None,
        zero_points: NDArray[np.integer] | None,
        scales: NDArray[np.floating] | None,
        total: NDArray[np.int32] | NDArray[np.float32],
        mode: Mode,
    ) -> NDArray[np.float32]:
        """Return total + sums, [..., M, N], both rounded to the nearest float32; the other arguments do not matter.

        Totals of bf16 products are finite: they end at the largest number.
        """
        if not self.exact:
            with np.errstate(over="ignore"):
                return np.clip(total.view(np.float32) + sums, -LIMITS.max, LIMITS.max)
        values = np.ldexp(sums.astype(np.float64), fixed_point(self.format).exponent)
        return total.view(np.float32) + values.astype(np.float32)


def _values(a: NDArray[np.uint16], q: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the products of bf16 codes as float32, each 0 or normal. a : [..., M, k]; q : [..., k, N]."""
    format = scalar("bf16")
    codes = lmul(format, a[..., None], q[..., None, :, :])
    magnitude = np.minimum(codes & format.sign - 1, format.largest)
    some = magnitude >= 1 << format.mantissa_bits
    return np.where(some, (magnitude | codes & format.sign).astype(np.uint32) << np.uint32(16), 0).view(np.float32)


@cache
def _table(name: str) -> NDArray[np.int64]:
    """Return the product of each pair of codes, of a and w at index a * 2^bits + w, in units of the least value."""
    format = scalar(name)
    codes = np.arange(1 << format.bits).astype(format.dtype)
    return numbers(lmul(format, codes[:, None], codes), name).ravel()
