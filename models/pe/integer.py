"""The arithmetic of all processing elements that multiply integers: exact sums, scaled once for each group.

y = sum over groups g of s_g * (sum_k a_k q_k - z_g * sum_k a_k). How a cell forms the products is a matter of its
circuit alone; what a processing element adds to this is which formats it takes, and in how many cycles.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, unknown
from ..formats import scalar
from ..products import exact, limbs
from ..qtensor import QTensor
from .description import PE
from .fixed import fixed_point, numbers
from .mode import Mode
from .output import FORMATS

WIDEST = 53
"""Bits of the widest accumulator: what float64 holds exactly."""


@dataclass(frozen=True)
class IntegerPE(PE):
    """Description and exact arithmetic of a cell that multiplies integers.

    A cell may sum multiples of something else than weights q, if that makes it smaller: of 2^shift q + offset. The
    finish station makes up for it, where it corrects for zero points.

    Parameters
    ----------
    lanes : products that a cell sums in one step.
    group : quantization group that the accumulator must hold.
    accumulator_bits : width of the signed accumulator of a cell; 0 is the narrowest that holds a group in every mode,
        or the widest there is. Modes of more than one cycle a step finish a group in parts if it does not hold it.
    activation : scalar format of the activations: int8, or a float that the row decodes to integers (`fixed`).
    integers : whether circuits have no floating point at all: totals are int32 and results int8, one scale for each
        column is all that weights have (as in HAWQ-V3, arXiv 2011.10680, section 3.1).

    Raises
    ------
    InputError : if a parameter is not positive, the accumulator does not hold a group, or activations are floats where
        all should be integers.
    """

    lanes: int = 4
    group: int = 128
    accumulator_bits: int = 0
    activation: str = "int8"
    integers: bool = False

    name: ClassVar[str]
    activations: ClassVar[tuple[str, ...]] = ("int8",)
    """Formats of activations to choose from."""
    shift: ClassVar[int] = 0
    dot_latency: ClassVar[int] = 2
    unit_scale: ClassVar[int] = 0x3C00

    @classmethod
    def variants(cls) -> tuple[dict[str, Any], ...]:
        """Return the parameters of circuits for all formats of activations."""
        return tuple({"activation": activation} for activation in cls.activations)

    def __post_init__(self) -> None:
        self._check_positive("lanes", "group")
        if self.activation not in self.activations:
            raise unknown(f"activation format of {self.name}", self.activation, self.activations)
        if self.integers and scalar(self.activation).encoding != "integer":
            raise InputError(f"{self.name}: activations of {self.activation} take floating point, integers must be off")
        if not 0 <= self.accumulator_bits <= WIDEST:
            raise InputError(f"{self.name}: accumulator_bits is {self.accumulator_bits}, not 0..{WIDEST}")
        if self.accumulator_bits == 0:
            largest = max(self._largest_term(mode) for mode in self.modes) * self.group
            object.__setattr__(self, "accumulator_bits", min(largest.bit_length() + 1, WIDEST))
        for mode in self.modes:
            if mode.interval == 1 and self.longest(mode) < self.group:
                raise InputError(
                    f"{self.name}: an accumulator of {self.accumulator_bits} bits holds {self.longest(mode)} products "
                    f"of {mode.name}, not a group of {self.group}"
                )

    @cached_property
    def modes(self) -> tuple[Mode, ...]:
        """Operand formats, preferred first."""
        return tuple(Mode(weight, self.activation, interval) for weight, interval in self.weight_modes.items())

    @property
    @abstractmethod
    def plane_bits(self) -> int:
        """Bits of a weight that a cell takes in a cycle."""

    @property
    @abstractmethod
    def weight_modes(self) -> dict[str, int]:
        """Formats of weights, preferred first, and the cycles that a step takes with each."""

    @property
    def activation_bits(self) -> int:
        """Bits of an activation."""
        return scalar(self.activation).bits

    @property
    def outputs(self) -> tuple[str, ...]:
        """Formats of results."""
        return FORMATS[:1] if self.integers else FORMATS

    @property
    def finish_latency(self) -> int:
        """Cycles from a cell's sum to the total: corrected and added; if it may be a float, scaled and added to one."""
        return 2 if self.integers else 10

    @property
    def prepare_latency(self) -> int:
        """Cycles that the row takes to decode activations."""
        return int(scalar(self.activation).encoding != "integer")

    def offset(self, mode: Mode) -> int:
        """Return what a cell adds to each weight, after its shift."""
        return 0

    def _largest_term(self, mode: Mode) -> int:
        """Return the largest magnitude of what a cell adds for one activation and weight."""
        element, offset = scalar(mode.weight), self.offset(mode)
        ends = (int(end) * (1 << self.shift) + offset for end in (element.minimum, element.maximum))
        return fixed_point(self.activation).largest * max(abs(end) for end in ends)

    def longest(self, mode: Mode) -> int:
        """Return how many products of the mode the accumulator surely holds, from the extremes of its formats."""
        return (2 ** (self.accumulator_bits - 1) - 1) // self._largest_term(mode)

    def floating(self, mode: Mode, grouped: bool) -> bool:
        """Return whether totals are float32: with scales of groups, and where integers could leave int32.

        Raises
        ------
        InputError : if they were, in circuits without floating point.
        """
        if self.integers and grouped:
            raise InputError(
                f"{self.name}: weights in groups take floating point, which circuits with pe.integers lack; they take "
                "one scale for each column"
            )
        return grouped or scalar(mode.activation).encoding != "integer"

    def segment_scales(self, w: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return the codes of the scales of groups; the single scale of a column is left to the output stage."""
        return w.scales if w.format.group else np.full((1, w.shape[1]), self.unit_scale)

    def stored(self, numbers: NDArray[np.integer], mode: Mode) -> NDArray[np.integer]:
        """Return the code in which the scratchpad holds weights: two's complement unless a cell wants another."""
        return numbers & (1 << scalar(mode.weight).bits) - 1

    def loaded(self, codes: NDArray[np.integer], mode: Mode) -> NDArray[np.integer]:
        """Return the weights whose code this is."""
        return scalar(mode.weight).integers(codes)

    def largest_product(self, weight: str, zero_point: bool) -> int:
        """Return the largest magnitude of a product a q or, with a zero point of the same format, a (q - z)."""
        element = scalar(weight)
        widest = element.maximum - element.minimum if zero_point else max(-element.minimum, element.maximum)
        return fixed_point(self.activation).largest * int(widest)

    def planes(self, numbers: NDArray[np.integer], mode: Mode) -> NDArray[np.uint8]:
        """Return weights as the scratchpad stores them: `plane_bits` of each in each plane, low bits first.

        Parameters
        ----------
        numbers : weights of any shape, within the range of the mode.

        Returns
        -------
        uint8 [planes, ...].
        """
        codes = self.stored(numbers.astype(np.int64), mode)
        offsets = self.plane_bits * np.arange(mode.planes).reshape(-1, *[1] * numbers.ndim)
        return (codes >> offsets & (1 << self.plane_bits) - 1).astype(np.uint8)

    def weights(self, planes: NDArray[np.integer], mode: Mode) -> NDArray[np.int64]:
        """Return the weights that `planes`, [planes, ...], came from."""
        offsets = self.plane_bits * np.arange(mode.planes).reshape(-1, *[1] * (planes.ndim - 1))
        codes = (planes.astype(np.int64) << offsets).sum(axis=0) & (1 << scalar(mode.weight).bits) - 1
        return self.loaded(codes.astype(np.uint8), mode).astype(np.int64)

    def check_operands(self, a: NDArray[np.integer], w: QTensor, mode: Mode) -> None:
        """Raise `InputError` if an activation or a scale is out of range."""
        check_scales(self.name, w)
        element = scalar(self.activation)
        if element.encoding != "integer":
            super().check_operands(a, w, mode)
            return
        low, high = int(element.minimum), int(element.maximum)
        for extreme in (a.min(initial=0), a.max(initial=0)):
            if not low <= extreme <= high:
                raise InputError(f"{self.name}: activation {extreme} is outside {element.name}, {low}..{high}")

    def prepare(self, a: NDArray[np.integer], mode: Mode) -> NDArray[np.int64]:
        """Return what all columns of a row share: the sum of its activations, in their unit.

        a : [..., M, k], integers, or codes of a format that is none; returns [..., M].
        """
        return self._numbers(a).sum(axis=-1, dtype=np.int64)

    def dot(self, a: NDArray[np.integer], q: NDArray[np.integer], mode: Mode) -> NDArray[np.int64]:
        """Return the exact integer sums of a segment. a : [..., M, k], as in `prepare`; q : [..., k, N]."""
        return exact.matmul(self._numbers(a), q)

    def _numbers(self, a: NDArray[np.integer]) -> NDArray[np.integer]:
        return a if scalar(self.activation).encoding == "integer" else numbers(a, self.activation)

    def finish(
        self,
        sums: NDArray[np.int64],
        activation_sums: NDArray[np.int64],
        zero_points: NDArray[np.integer] | None,
        scales: NDArray[np.floating] | None,
        total: NDArray[np.int32] | NDArray[np.float32],
        mode: Mode,
    ) -> NDArray[np.int32] | NDArray[np.float32]:
        """Return the totals after one more segment.

        Parameters
        ----------
        sums : [..., M, N] of `dot`.
        activation_sums : [..., M] of `prepare`.
        zero_points : [..., N], or None for zeros.
        scales : values of fp16 numbers, at least 0, [..., N]; None leaves the sums integers.
        total : the totals before, [..., M, N]: float32 with scales, int32 without.

        Returns
        -------
        Type and shape of `total`. With scales, product and sum are each rounded to the nearest float32, ties to even.
        """
        if zero_points is not None:
            sums = sums - activation_sums[..., :, None] * zero_points.astype(np.int64)[..., None, :]
        if scales is None:
            return total + sums.astype(np.int32)
        # Sums have at most 53 bits, scales 11; a product that float64 might round is rounded to odd there.
        factors = np.ldexp(scales, fixed_point(self.activation).exponent)[..., None, :]
        product = np.multiply if self.accumulator_bits <= 40 else limbs.multiply_to_odd
        return total + product(*np.broadcast_arrays(sums.astype(np.float64), factors)).astype(np.float32)


@dataclass(frozen=True)
class FromZero(IntegerPE):
    """Description of a cell whose weights are stored from 0 on, so that no plane of theirs counts negative."""

    def offset(self, mode: Mode) -> int:
        """Return what a cell adds to each weight."""
        return self._lift(mode)

    def stored(self, numbers: NDArray[np.integer], mode: Mode) -> NDArray[np.integer]:
        """Return weights as they are stored."""
        return numbers + self._lift(mode)

    def loaded(self, codes: NDArray[np.integer], mode: Mode) -> NDArray[np.integer]:
        """Return the weights whose code this is."""
        return codes.astype(np.int64) - self._lift(mode)

    @staticmethod
    def _lift(mode: Mode) -> int:
        """Return what makes the least weight 0."""
        return -int(scalar(mode.weight).minimum)


def check_scales(name: str, w: QTensor) -> None:
    """Raise `InputError` unless the scales of weights are finite and not negative."""
    scales = w.scale_values
    if not (fine := np.isfinite(scales) & (scales >= 0)).all():
        raise InputError(f"{name}: a scale of the weights is {scales[~fine][0]}, it must be finite and not negative")
