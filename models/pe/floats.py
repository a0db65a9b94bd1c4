"""The arithmetic of processing elements that accumulate in float32: every addition is rounded, in a stated order.

The products of a step are added pairwise: neighbours, then neighbours among these sums, an odd one out being passed on.
The sums of the steps are added one after the other, and so is the result of a segment to the total. All roundings are
to nearest, ties to even.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..formats import scalar
from ..products.accumulate import ORDERS
from ..qtensor import QTensor
from .description import Mode
from .float_totals import FloatTotals
from .output import FORMATS


@dataclass(frozen=True)
class FloatPE(FloatTotals, ABC):
    """Description and arithmetic of a cell with a float32 accumulator.

    Parameters
    ----------
    lanes : products that a cell sums in one step.
    group : products after which a cell finishes, if the weights have no groups.

    Raises
    ------
    InputError : if a parameter is not positive.
    """

    lanes: int = 4
    group: int = 128

    name: ClassVar[str]
    activation_bits: ClassVar[int]
    plane_bits: ClassVar[int]
    accumulator_bits: ClassVar[int] = 32
    prepare_latency: ClassVar[int] = 1
    finish_latency: ClassVar[int] = 5
    unit_scale: ClassVar[int] = 0x3C00
    outputs: ClassVar[tuple[str, ...]] = FORMATS

    def __post_init__(self) -> None:
        for field in ("lanes", "group"):
            if getattr(self, field) < 1:
                raise InputError(f"{self.name}: {field} is {getattr(self, field)}, it must be at least 1")

    @property
    @abstractmethod
    def modes(self) -> tuple[Mode, ...]:
        """Operand formats, preferred first."""

    @property
    def dot_latency(self) -> int:
        """Cycles of a cell: products, each level of the tree that adds them, the accumulator."""
        return 2 + (self.lanes - 1).bit_length()

    def longest(self, mode: Mode) -> int:
        """Return how many products a cell sums before it finishes: `group`, no sum being too long."""
        return self.group

    def prepare(self, a: NDArray[np.integer], mode: Mode) -> NDArray[np.int64]:
        """Return what all columns of a row share: nothing but decoded operands, so 0. a : [..., M, k]."""
        return np.zeros(a.shape[:-1], np.int64)

    def sums(self, k: int, products: Callable[[slice], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the sums of a segment.

        Parameters
        ----------
        k : its length.
        products : gives those of a part of it, [..., M, length of the part, N].
        """
        parts = (products(slice(start, start + self.lanes)) for start in range(0, k, self.lanes))
        add = ORDERS["pairwise"]
        return reduce(np.add, (add(np.moveaxis(part, -2, 0), np.add) for part in parts))

    def finish(
        self,
        sums: NDArray[Any],
        activation_sums: NDArray[np.int64] | None,
        zero_points: NDArray[np.integer] | None,
        scales: NDArray[np.floating] | None,
        total: NDArray[np.int32] | NDArray[np.float32],
        mode: Mode,
    ) -> NDArray[np.float32]:
        """Return total + sums, [..., M, N]; the other arguments do not matter."""
        return total.view(np.float32) + sums

    def weight_operands(self, w: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return the numbers of weights; without scales of their own they have no headers."""
        return w.numbers()

    def activation_operands(self, a: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return the numbers of activations; rows have no headers."""
        return a.numbers()

    def segment_scales(self, w: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return codes of 1: the finish station takes no scales."""
        return np.full((1, w.shape[1]), self.unit_scale)

    def segment(self, w: QTensor) -> int:
        """Return the products of a segment: those of a group of the weights, or as many whole steps as fit `group`."""
        return w.format.group or max(self.group // self.lanes, 1) * self.lanes

    def accumulate(
        self,
        a: NDArray[np.integer],
        w: QTensor,
        bias: NDArray | None = None,
        chunk: int | None = None,
        activation: str | None = None,
    ) -> NDArray[np.float32]:
        """Return bias + A W as the circuit accumulates it.

        Parameters
        ----------
        a : codes of activations [M, K].
        w : weights [K, N] with scales along axis 0; those of whole columns are left to the output stage.
        bias : [N]; None is zero.
        chunk : products that the cells sum before they finish; None is `segment`, and nothing else will do.
        activation : format of the activations; None is that of the first mode.

        Returns
        -------
        float32 [M, N].

        Raises
        ------
        InputError : if shapes or formats do not fit, or an operand is not finite.
        """
        mode = self.mode(w.format.element.name, activation or self.modes[0].activation)
        if len(w.shape) != 2 or w.axis != 0 or a.ndim != 2 or a.shape[1] != w.shape[0]:
            raise InputError(
                f"{self.name}: activations of shape {a.shape} do not multiply weights of shape {w.shape} quantized "
                f"along axis {w.axis}"
            )
        element = scalar(mode.activation)
        if not (finite := np.isfinite(element.decode(a))).all():
            wrong = a[~finite].flat[0]
            raise InputError(f"{self.name}: an activation is the code {wrong:#x} of {element.name}, not finite")
        (k, n), segment = w.shape, self.segment(w)
        if chunk not in (None, segment):
            raise InputError(f"{self.name}: a chunk of {chunk} products is not a segment of {segment}")
        bias = np.zeros(n) if bias is None else bias
        if bias.shape != (n,):
            raise InputError(f"{self.name}: a bias of shape {bias.shape} does not suit {n} columns of weights")
        q, header = self.weight_operands(w, mode), mode.column_header * self.lanes
        # Adding to zeros turns a bias of -0 into +0.
        total = np.zeros((len(a), n), np.float32) + bias.astype(np.float32)
        for index, start in enumerate(range(0, k, segment)):
            left = a[:, start : start + segment]
            first = index * (segment + header)
            right = q[first : first + header + left.shape[1]]
            total = self.finish(self.dot(left, right, mode), None, None, None, total, mode)
        return total

    @abstractmethod
    def mode(self, weight: str, activation: str) -> Mode:
        """Return the mode that multiplies operands of these formats.

        Raises
        ------
        InputError : if there is none.
        """

    @abstractmethod
    def dot(self, a: NDArray[np.integer], q: NDArray[np.integer], mode: Mode) -> NDArray[np.float32]:
        """Return the sums of a segment, [..., M, N]. a : [..., M, k]; q : a header and weights, [..., k', N]."""
