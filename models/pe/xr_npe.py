"""XR-NPE (arXiv 2508.13049): one SIMD multiply-accumulate cell for FP4, posit(4,1), posit(8,0) and posit(16,1).

A lane's word of 16 bits holds four, two or one operand; the cell sums their products exactly, in one quire for all
modes, and rounds once at the end. Only the paper's abstract could be had. Its are the formats, how many go into a word,
the one multiplier that is regrouped by mode and the exact accumulation; the circuit is ours, and so are the quire's
width, the rounding to float32 on the way out, and what NaR does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, unknown
from ..formats import scalar
from ..products import exact, limbs, ranges
from ..products.ranges import Float, Range
from ..qtensor import QTensor
from .description import Mode
from .float_totals import FloatTotals
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
class XrNpe(FloatTotals):
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
    dot_latency: ClassVar[int] = 3
    finish_latency: ClassVar[int] = 8
    unit_scale: ClassVar[int] = 0x3C00
    outputs: ClassVar[tuple[str, ...]] = (*FORMATS, "posit(8,0)", "posit(16,1)")

    @classmethod
    def variants(cls) -> tuple[dict[str, Any], ...]:
        """Return the parameters, other than sizes, that make one circuit of this kind different from another."""
        return ({},)

    def __post_init__(self) -> None:
        for field in ("lanes", "group"):
            if getattr(self, field) < 1:
                raise InputError(f"{self.name}: {field} is {getattr(self, field)}, it must be at least 1")
        for mode in self.modes:
            if mode not in MODES:
                raise unknown(f"mode of {self.name}", mode.name, [each.name for each in MODES])
        if not self.modes:
            raise InputError(f"{self.name} needs a mode")

    @property
    def accumulator_bits(self) -> int:
        """Bits of the quire, which the widest mode fills."""
        return max(self.quire_bits(mode) for mode in self.modes)

    def quire_bits(self, mode: Mode) -> int:
        """Return how many bits of the quire the sums of a mode take."""
        return (product_range(mode).largest * self.group).bit_length() + 1

    def mode(self, weight: str, activation: str) -> Mode:
        """Return the mode that multiplies operands of these formats.

        Raises
        ------
        InputError : if there is none: both operands are of the same format.
        """
        for mode in self.modes:
            if (mode.weight, mode.activation) == (weight, activation):
                return mode
        taken = ", ".join(mode.weight for mode in self.modes)
        raise InputError(f"{self.name} multiplies two operands of {taken}, not {weight} and {activation}")

    def longest(self, mode: Mode) -> int:
        """Return how many products the quire surely holds: `group`, though narrow ones have room to spare."""
        return self.group

    def activation_operands(self, a: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return the numbers of activations; these modes have no headers."""
        return a.numbers()

    def weight_operands(self, w: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return the codes of weights; these modes have no headers."""
        return w.numbers()

    def segment_scales(self, w: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return codes of 1: scales of columns are left to the output stage."""
        return np.full((1, w.shape[1]), self.unit_scale)

    def planes(self, numbers: NDArray[np.integer], mode: Mode) -> NDArray[np.unsignedinteger]:
        """Return the codes of weights as the scratchpad stores them, in one plane: [1, ...]."""
        return np.asarray(numbers).astype(scalar(mode.weight).dtype)[None]

    def weights(self, planes: NDArray[np.integer], mode: Mode) -> NDArray[np.integer]:
        """Return the codes that `planes` turned into `planes`."""
        return planes[0]

    def prepare(self, a: NDArray[np.integer], mode: Mode) -> NDArray[np.int64]:
        """Return what all columns of a row share: nothing but decoded operands, so 0. a : [..., M, k]."""
        return np.zeros(a.shape[:-1], np.int64)

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

    def finish(
        self,
        sums: NDArray[Any],
        activation_sums: NDArray[np.int64] | None,
        zero_points: NDArray[np.integer] | None,
        scales: NDArray[np.floating] | None,
        total: NDArray[np.float32],
        mode: Mode,
    ) -> NDArray[np.float32]:
        """Return total + sums, rounded to the nearest float32, ties to even; NaN if either is.

        Parameters
        ----------
        sums : [..., M, N] of `dot`.
        activation_sums, zero_points, scales : not used; these formats have a zero and no scales.
        total : the totals before, [..., M, N].
        """
        result = total.view(np.float32) + sums
        return np.where(np.isnan(result), np.float32(np.nan), result)

    def accumulate(
        self,
        a: NDArray[np.integer],
        w: QTensor,
        bias: NDArray | None = None,
        chunk: int | None = None,
        activation: str = "posit(8,0)",
    ) -> NDArray[np.float32]:
        """Return bias + A W as the circuit accumulates it.

        Parameters
        ----------
        a : codes of activations of the format `activation`, [M, K].
        w : weights [K, N] of one of the modes' formats, without scales along axis 0.
        bias : [N]; None is zero.
        chunk : products that the cells sum before they finish; None is as many as the quire holds.

        Returns
        -------
        float32 [M, N]. A sum of a single chunk without bias is rounded to odd, so that the output stage rounds once.

        Raises
        ------
        InputError : if shapes or formats do not fit, or the quire might not hold a chunk.
        """
        mode = self.mode(w.format.element.name, activation)
        if w.format.group is not None or w.zero_points is not None:
            raise InputError(f"{self.name} takes weights without zero points or scales along K, not {w.format.name}")
        if a.ndim != 2 or len(w.shape) != 2 or a.shape[1] != w.shape[0]:
            raise InputError(f"{self.name}: activations of shape {a.shape} do not multiply weights of shape {w.shape}")
        (k, n), longest = w.shape, self.longest(mode)
        bias = np.zeros(n) if bias is None else bias
        if bias.shape != (n,):
            raise InputError(f"{self.name}: a bias of shape {bias.shape} does not suit {n} columns of weights")
        length = min(longest, k) if chunk is None else chunk
        if chunk is not None and not 1 <= min(chunk, k) <= longest:
            raise InputError(f"{self.name}: a chunk of {chunk} products is not 1 to the {longest} that the quire holds")
        # Adding to zeros turns a bias of -0 into +0.
        total = np.zeros((len(a), n), np.float32) + bias.astype(np.float32)
        for start in range(0, k, max(length, 1)):
            part = slice(start, start + length)
            total = self.finish(self.dot(a[:, part], w.codes[part], mode), None, None, None, total, mode)
        return total


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
