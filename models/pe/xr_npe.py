"""XR-NPE (arXiv 2508.13049): one SIMD multiply-accumulate cell for FP4, posit(4,1), posit(8,0) and posit(16,1).

A lane's word of 16 bits holds four, two or one operand; the cell sums their products exactly, in one quire for all
modes, and rounds once at the end. Only the paper's abstract could be had. Its are the formats, how many go into a word,
the one multiplier that is regrouped by mode and the exact accumulation; the circuit is ours, and so are the quire's
width, the rounding to float32 on the way out, and what NaR does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, unknown
from ..formats import scalar
from ..products import exact, limbs, ranges
from ..products.ranges import Float, Range
from ..qtensor import QTensor
from .description import PE
from .mode import Mode
from .output import FORMATS

WORD = 16
"""Bits of a lane's word of operands."""

MODES = (
    Mode("posit(8,0)", "posit(8,0)", 1, 2),
    Mode("posit(16,1)", "posit(16,1)", 1, 1),
    Mode("posit(4,1)", "posit(4,1)", 1, 4),
    Mode("e2m1", "e2m1", 1, 4),
)
"""All that there is to choose from."""


@dataclass(frozen=True)
class XrNpe(PE):
    """Description and exact arithmetic of an XR-NPE cell.

    Parameters
    ----------
    lanes : words of each operand that a cell takes in one step.
    group : products that the quire surely holds, in every mode.
    modes : operand formats it multiplies, preferred first: some of `MODES`.

    Raises
    ------
    InputError : if a parameter is not positive, or there is no mode or an unknown one.
    """

    lanes: int = 1
    group: int = 4096
    modes: tuple[Mode, ...] = MODES

    name: ClassVar[str] = "xr_npe"
    activation_bits: ClassVar[int] = WORD
    plane_bits: ClassVar[int] = WORD
    prepare_latency: ClassVar[int] = 1
    finish_latency: ClassVar[int] = 8
    unit_scale: ClassVar[int] = 0x3C00
    outputs: ClassVar[tuple[str, ...]] = (*FORMATS, "posit(8,0)", "posit(16,1)")

    def __post_init__(self) -> None:
        self._check_positive("lanes", "group")
        for mode in self.modes:
            if mode not in MODES:
                raise unknown(f"mode of {self.name}", mode.name, [each.name for each in MODES])
        if not self.modes:
            raise InputError(f"{self.name} needs a mode")

    @property
    def separate(self) -> bool:
        """Whether every product has a multiplier of its own: all modes have as many operands in a word, two or four."""
        packings = {mode.packing for mode in self.modes}
        return len(packings) == 1 and packings != {1}

    @property
    def dot_latency(self) -> int:
        """Cycles of a cell: products, the quire, and between the two, if products are not separate, alignment."""
        return 2 if self.separate else 3

    @property
    def accumulator_bits(self) -> int:
        """Bits of the quire, which the widest mode fills."""
        return max(self.quire_bits(mode) for mode in self.modes)

    def quire_bits(self, mode: Mode) -> int:
        """Return how many bits of the quire the sums of a mode take."""
        return (product_range(mode).largest * self.group).bit_length() + 1

    def longest(self, mode: Mode) -> int:
        """Return how many products the quire surely holds: `group`, though narrow ones have room to spare."""
        return self.group

    def check_operands(self, a: NDArray[np.integer], w: QTensor, mode: Mode) -> None:
        """Raise `InputError` if weights have scales along K or zero points; NaR may be among the operands."""
        if w.format.group is not None or w.zero_points is not None:
            raise InputError(f"{self.name} takes weights without zero points or scales along K, not {w.format.name}")

    def dot(self, a: NDArray[np.integer], q: NDArray[np.integer], mode: Mode) -> NDArray[np.float32]:
        """Return the exact sums of a segment, rounded once, to odd in float32; NaN where an operand is NaR.

        To odd is cut off towards zero, with the last bit set if that was not exact: rounding once more, to at most 22
        significant bits, gives what rounding the exact sum would have given.

        Parameters
        ----------
        a : codes of activations, [..., M, k].
        q : codes of weights, [..., k, N].
        """
        x, y = scalar(mode.activation).decode(a), scalar(mode.weight).decode(q)
        nar = np.isnan(x).any(axis=-1)[..., :, None] | np.isnan(y).any(axis=-2)[..., None, :]
        return np.where(nar, np.float32(np.nan), _sums(np.nan_to_num(x), np.nan_to_num(y), mode))


def product_range(mode: Mode) -> Range:
    """Return the unit that the products of a mode are multiples of, and the largest of them in that unit."""
    activation, weight = ranges.of(scalar(mode.activation)), ranges.of(scalar(mode.weight))
    assert activation is not None and weight is not None  # they have at most 16 bits
    return activation * weight


def _sums(x: Float, y: Float, mode: Mode) -> NDArray[np.float32]:
    """Return the exact product of float64 matrices, [..., M, k] and [..., k, N], rounded to odd in float32."""
    left = ranges.of(scalar(mode.activation)) or ranges.span(x)
    right = ranges.of(scalar(mode.weight)) or ranges.span(y)
    plan = exact.plan(x.shape[-1], left, right, rounded=True, what=mode.name)
    if plan.path in ("float32", "float64"):
        return _to_odd((x.astype(plan.path) @ y.astype(plan.path)).astype(np.float64) + 0.0)
    if x.ndim == y.ndim == 2:
        codes, _ = exact.certified(x, y, left, right, encode=lambda sums: _to_odd(sums).view(np.uint32))
        return codes.view(np.float32)
    return _to_odd(limbs.product(x, y, left, right, odd=True))


def _to_odd(sums: Float) -> NDArray[np.float32]:
    """Return float64 numbers, exact or rounded to odd themselves, rounded to odd in float32."""
    cut = sums.astype(np.float32)
    bits = cut.view(np.uint32)
    bits -= np.abs(cut) > np.abs(sums)
    bits |= cut != sums
    return cut
