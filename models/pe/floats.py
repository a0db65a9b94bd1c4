"""The arithmetic of processing elements that accumulate in float32: every addition is rounded, in a stated order.

The products of a step are added pairwise: neighbours, then neighbours among these sums, an odd one out being passed on.
The sums of the steps are added one after the other, and so is the result of a segment to the total. All roundings are
to nearest, ties to even.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..products.accumulate import ORDERS
from .description import PE
from .mode import Mode
from .output import FORMATS

LIMITS = np.finfo(np.float32)


@dataclass(frozen=True)
class FloatPE(PE):
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
        self._check_positive("lanes", "group")

    @property
    def dot_latency(self) -> int:
        """Cycles of a cell: products, each level of the tree that adds them, the accumulator."""
        return 2 + (self.lanes - 1).bit_length()

    def longest(self, mode: Mode) -> int:
        """Return how many products a cell sums before it finishes: `group`, no sum being too long."""
        return self.group

    def sums(self, k: int, products: Callable[[slice], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the sums of a segment.

        Parameters
        ----------
        k : its length.
        products : gives those of a part of it, [..., M, length of the part, N].
        """
        return sums(self.lanes, k, products)


def sums(
    lanes: int,
    k: int,
    products: Callable[[slice], NDArray[np.float32]],
    add: Callable[[NDArray, NDArray], NDArray] = np.add,
) -> NDArray[np.float32]:
    """Return the sums of a segment, as `FloatPE.sums`, by any addition."""
    parts = (products(slice(start, start + lanes)) for start in range(0, k, lanes))
    pairwise = ORDERS["pairwise"]
    return reduce(add, (pairwise(np.moveaxis(part, -2, 0), add) for part in parts))


def add_within(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float32 sums that are normal numbers or 0: +0 below those, the largest with its sign beyond."""
    with np.errstate(over="ignore"):
        total = np.clip(a + b, -LIMITS.max, LIMITS.max)
    return np.where(abs(total) < LIMITS.smallest_normal, np.float32(0), total)
