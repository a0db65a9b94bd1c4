"""The arithmetic of all processing elements that multiply integers: exact sums, scaled once for each group.

y = sum over groups g of s_g * (sum_k a_k q_k - z_g * sum_k a_k). How a cell forms the products is a matter of its
circuit alone; what a processing element adds to this is which formats it takes, and in how many cycles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..formats import scalar
from ..products import exact
from ..qtensor import QTensor
from .description import Mode


@dataclass(frozen=True)
class IntegerPE:
    """Description and exact arithmetic of a cell that multiplies integers.

    Parameters
    ----------
    lanes : products that a cell sums in one step.
    group : quantization group that the accumulator must hold in the modes of one cycle a step.
    accumulator_bits : width of the signed accumulator of a cell.

    Raises
    ------
    InputError : if a parameter is not positive or the accumulator does not hold a group.
    """

    lanes: int = 4
    group: int = 128
    accumulator_bits: int = 24

    name: ClassVar[str]
    plane_bits: ClassVar[int]
    modes: ClassVar[tuple[Mode, ...]]
    activation_bits: ClassVar[int] = 8
    finish_latency: ClassVar[int] = 10

    def __post_init__(self) -> None:
        for field in ("lanes", "group", "accumulator_bits"):
            if getattr(self, field) < 1:
                raise InputError(f"{self.name}: {field} is {getattr(self, field)}, it must be at least 1")
        for mode in self.modes:
            if mode.interval == 1 and self.longest(mode) < self.group:
                raise InputError(
                    f"{self.name}: an accumulator of {self.accumulator_bits} bits holds {self.longest(mode)} products "
                    f"of {mode.name}, not a group of {self.group}"
                )

    def mode(self, weight: str) -> Mode:
        """Return the mode that multiplies weights of this element format: the first that contains it.

        Raises
        ------
        InputError : if no mode does.
        """
        element = scalar(weight)
        for mode in self.modes:
            widest = scalar(mode.weight)
            alike = (element.encoding, element.signed, element.bias) == ("integer", widest.signed, 0)
            if alike and element.bits <= widest.bits:
                return mode
        taken = " and ".join(_range(mode.weight) for mode in self._widest)
        raise InputError(f"{self.name} takes weights of {taken}, not {weight}")

    @property
    def _widest(self) -> list[Mode]:
        """The widest mode for signed and for unsigned weights."""
        widest = {scalar(mode.weight).signed: mode for mode in sorted(self.modes, key=lambda m: scalar(m.weight).bits)}
        return [widest[signed] for signed in (True, False) if signed in widest]

    def longest(self, mode: Mode) -> int:
        """Return how many products of the mode the accumulator surely holds, from the extremes of its formats."""
        return (2 ** (self.accumulator_bits - 1) - 1) // _largest_product(mode.weight)

    def check_int32(self, weight: str, k: int, zero_point: bool, bias: int) -> None:
        """Raise `InputError` if `k` products and a bias of that magnitude could overflow an int32 accumulator."""
        largest = k * _largest_product(weight, zero_point) + bias
        if largest > 2**31 - 1:
            raise InputError(
                f"{self.name}: K = {k} products of {weight} could sum to {largest}, which does not fit int32"
            )

    def planes(self, integers: NDArray[np.integer], mode: Mode) -> NDArray[np.uint8]:
        """Return weights as the scratchpad stores them: `plane_bits` of each for each cycle, low bits first.

        Parameters
        ----------
        integers : weights of any shape, within the range of the mode.

        Returns
        -------
        uint8 [interval, ...].
        """
        offsets = self.plane_bits * np.arange(mode.interval).reshape(-1, *[1] * integers.ndim)
        return (integers >> offsets & (1 << self.plane_bits) - 1).astype(np.uint8)

    def prepare(self, a: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return what all columns of a row share: the sum of its activations. a : [..., M, k]; returns [..., M]."""
        return a.sum(axis=-1, dtype=np.int64)

    def dot(self, a: NDArray[np.integer], q: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the exact integer sums of a segment. a : [..., M, k]; q : [..., k, N]."""
        return exact.matmul(a, q)

    def finish(
        self,
        sums: NDArray[np.int64],
        activation_sums: NDArray[np.int64],
        zero_points: NDArray[np.integer] | None,
        scales: NDArray[np.floating] | None,
        total: NDArray[np.int32] | NDArray[np.float32],
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
        return total + (scales[..., None, :] * sums).astype(np.float32)

    def accumulate(
        self, a: NDArray[np.integer], w: QTensor, bias: NDArray | None = None, chunk: int | None = None
    ) -> NDArray[np.int32] | NDArray[np.float32]:
        """Return bias + A W as the circuit accumulates it.

        Parameters
        ----------
        a : int8 activations as integers, [M, K].
        w : weights [K, N], quantized along axis 0 with one scale per column or per group and column.
        bias : [N] in units of the accumulator; None is zero.
        chunk : products that the cells sum before they finish, counted from the start of each group; None is the whole
            group. Integer accumulation does not depend on it.

        Returns
        -------
        [M, N]: int32 with one scale per column, which is left to the output stage; float32 with groups.

        Raises
        ------
        InputError : if shapes or formats do not fit, an int32 sum could overflow or the accumulator might not hold a
            chunk.
        """
        self._check(a, w)
        (k, n), group = w.shape, w.format.group
        mode = self.mode(w.format.element.name)
        bias = np.zeros(n) if bias is None else bias
        if bias.shape != (n,):
            raise InputError(f"{self.name}: a bias of shape {bias.shape} does not suit {n} columns of weights")
        if chunk is not None and chunk < 1:
            raise InputError(f"{self.name}: a chunk is {chunk} products, it must be at least 1")
        if group is None:
            self.check_int32(w.format.element.name, k, w.zero_points is not None, _magnitude(bias))
        elif (length := min(chunk or group, group, k)) > self.longest(mode):
            raise InputError(
                f"{self.name}: a chunk of {length} is longer than the {self.longest(mode)} products of {mode.name} "
                f"that {self.accumulator_bits} bits hold"
            )
        scales = None if group is None else w.scale_values
        dtype = np.float32 if group else np.int32
        # Adding to zeros turns a bias of -0 into +0.
        total: NDArray = np.zeros((len(a), n), dtype) + bias.astype(dtype)
        q = w.integers()
        for index, part in _segments(k, group, chunk):
            total = self.finish(
                self.dot(a[:, part], q[part]),
                self.prepare(a[:, part]),
                None if w.zero_points is None else w.zero_points[index],
                None if scales is None else scales[index],
                total,
            )
        return total

    def _check(self, a: NDArray[np.integer], w: QTensor) -> None:
        if w.axis != 0 or len(w.shape) != 2:
            raise InputError(
                f"{self.name}: weights of shape {w.shape} quantized along axis {w.axis}, not [K, N] along axis 0"
            )
        if w.format.recipe != "integers":
            raise InputError(f"{self.name} takes weights of integers in groups or channels, not {w.format.name}")
        if a.ndim != 2 or a.shape[1] != w.shape[0]:
            raise InputError(f"{self.name}: activations of shape {a.shape} do not multiply weights of shape {w.shape}")
        if not np.issubdtype(a.dtype, np.integer):
            raise InputError(f"{self.name}: activations are {a.dtype}, they must be integers")
        scales = w.scale_values
        if not (np.isfinite(scales) & (scales >= 0)).all():
            wrong = scales[~(np.isfinite(scales) & (scales >= 0))][0]
            raise InputError(f"{self.name}: a scale of the weights is {wrong}, it must be finite and not negative")
        for extreme in (a.min(initial=0), a.max(initial=0)):
            if not -128 <= extreme <= 127:
                raise InputError(f"{self.name}: activation {extreme} is outside int8, -128..127")


def _magnitude(bias: NDArray) -> int:
    """Return the greatest magnitude; -2^31 has none in int32."""
    return max(abs(int(bias.min(initial=0))), abs(int(bias.max(initial=0))))


def _largest_product(weight: str, zero_point: bool = False) -> int:
    """Return the largest magnitude of a product a q or, with a zero point of the same format, a (q - z)."""
    element = scalar(weight)
    widest = element.maximum - element.minimum if zero_point else max(-element.minimum, element.maximum)
    return int(-scalar("int8").minimum * widest)


def _range(weight: str) -> str:
    """Return the formats that the widest format `weight` contains, in words."""
    kind = weight.rstrip("0123456789")
    return f"{kind}1..{weight}"


def _segments(k: int, group: int | None, chunk: int | None) -> Iterator[tuple[int, slice]]:
    """Yield the index of the group and the range of k of each sum that is finished on its own."""
    if group is None:
        yield 0, slice(0, k)
        return
    for index, start in enumerate(range(0, k, group)):
        stop = min(start + group, k)
        for first in range(start, stop, chunk or group):
            yield index, slice(first, min(first + (chunk or group), stop))
