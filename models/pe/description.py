"""What a processing element is, apart from its arithmetic: operand formats by mode, interval, accumulator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..formats import scalar
from . import whole
from .mode import Mode, operands

if TYPE_CHECKING:  # a processing element reads quantized tensors, but describing one must not load them
    from ..qtensor import QTensor


class PE(ABC):
    """A processing element, as the program, the machine and the circuit know it, and its golden arithmetic.

    Operands are given as numbers: integers, or codes of formats that are not integers. `prepare`, `dot` and `finish`
    are its golden arithmetic. In modes with headers the numbers of a segment begin with them, cut into codes as wide as
    the others: row_header or column_header times lanes * packing.

    Defaults are those of one that takes codes without headers, has no scales or zero points and sums in float32.
    """

    name: ClassVar[str]
    """Short name, which is also the name of its file on every floor."""

    @classmethod
    def variants(cls) -> tuple[dict[str, Any], ...]:
        """Return the parameters, other than sizes, that make one circuit of this kind different from another."""
        return ({},)

    @property
    @abstractmethod
    def lanes(self) -> int:
        """Words of each operand that a cell takes in one step."""

    @property
    @abstractmethod
    def group(self) -> int:
        """Length of the quantization group that the accumulator is made for."""

    @property
    @abstractmethod
    def accumulator_bits(self) -> int:
        """Width of a cell's signed accumulator."""

    @property
    @abstractmethod
    def modes(self) -> tuple[Mode, ...]:
        """Operand formats it multiplies, preferred first."""

    @property
    @abstractmethod
    def activation_bits(self) -> int:
        """Bits of a lane's word of activations."""

    @property
    @abstractmethod
    def plane_bits(self) -> int:
        """Bits of a lane's word of weights, of which a cell takes one each cycle."""

    @property
    @abstractmethod
    def prepare_latency(self) -> int:
        """Cycles from the operands of the tile to those of its cells."""

    @property
    @abstractmethod
    def dot_latency(self) -> int:
        """Cycles from the last operands of a segment at the cells to their results."""

    @property
    @abstractmethod
    def finish_latency(self) -> int:
        """Cycles from a cell's result to the total that it is added to."""

    @property
    @abstractmethod
    def unit_scale(self) -> int:
        """Code of the scale 1."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """Formats of results that circuits with this processing element can round to."""

    def _check_positive(self, *fields: str) -> None:
        for field in fields:
            if getattr(self, field) < 1:
                raise InputError(f"{self.name}: {field} is {getattr(self, field)}, it must be at least 1")

    def mode(self, weight: str, activation: str) -> Mode:
        """Return the mode that multiplies weights and activations of these formats: the first that takes them.

        Raises
        ------
        InputError : if none does.
        """
        for mode in self.modes:
            if mode.takes(weight, activation):
                return mode
        raise InputError(f"{self.name} multiplies {operands(self.modes)}, not {weight} by {activation}")

    @abstractmethod
    def longest(self, mode: Mode) -> int:
        """Return how many products the accumulator surely holds."""

    def segment(self, mode: Mode, group: int | None) -> int:
        """Return how many products are summed before they finish: a group's, or as many whole steps as surely fit."""
        step = self.lanes * mode.packing
        return group or max(self.longest(mode) // step, 1) * step

    def floating(self, mode: Mode, grouped: bool) -> bool:
        """Return whether totals are float32; else they are int32."""
        return True

    def largest_product(self, weight: str, zero_point: bool) -> int:
        """Return the largest magnitude of what a product adds to an int32; 0 if products never do."""
        return 0

    def check_int32(self, weight: str, k: int, zero_point: bool, bias: int) -> None:
        """Raise `InputError` if `k` products and a bias of that magnitude could overflow an int32 accumulator."""
        largest = k * self.largest_product(weight, zero_point) + bias
        if largest > 2**31 - 1:
            raise InputError(
                f"{self.name}: K = {k} products of {weight} could sum to {largest}, which does not fit int32"
            )

    def planes(self, numbers: NDArray[np.integer], mode: Mode) -> NDArray[np.unsignedinteger]:
        """Return the weights as the scratchpad stores them: [planes, ...]."""
        codes = numbers.astype(np.int64)[None]
        return codes.astype(np.uint8) if self.plane_bits <= 8 else codes.astype(np.uint16)

    def weights(self, planes: NDArray[np.integer], mode: Mode) -> NDArray[np.integer]:
        """Return the weights that `planes` turned into `planes`."""
        return planes[0]

    def activation_operands(self, a: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return the numbers of activations [M, K], with the headers of their segments."""
        return a.numbers()

    def weight_operands(self, w: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return the numbers of weights [K, N], with the headers of their segments."""
        return w.numbers()

    def segment_scales(self, w: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return the codes of the scales that the finish station takes, for each segment and column or for a column."""
        return np.full((1, w.shape[1]), self.unit_scale)

    def check_operands(self, a: NDArray[np.integer], w: QTensor, mode: Mode) -> None:
        """Raise `InputError` if activations, or weights with their scales, cannot be multiplied."""
        activation = scalar(mode.activation)
        if not (finite := np.isfinite(activation.decode(a))).all():
            wrong = a[~finite].flat[0]
            raise InputError(f"{self.name}: an activation is the code {wrong:#x} of {activation.name}, not finite")

    def prepare(self, a: NDArray[np.integer], mode: Mode) -> NDArray[np.int64]:
        """Return what is computed once for each row of activations. a : [..., M, k]; returns [..., M]."""
        return np.zeros(a.shape[:-1], np.int64)

    @abstractmethod
    def dot(self, a: NDArray[np.integer], q: NDArray[np.integer], mode: Mode) -> NDArray[Any]:
        """Return the sums of a segment as a cell holds them. a : [..., M, k]; q : [..., k, N]; returns [..., M, N]."""

    def finish(
        self,
        sums: NDArray[Any],
        activation_sums: NDArray[np.int64],
        zero_points: NDArray[np.integer] | None,
        scales: NDArray[np.floating] | None,
        total: NDArray[np.int32] | NDArray[np.float32],
        mode: Mode,
    ) -> NDArray[np.int32] | NDArray[np.float32]:
        """Return the totals after one more segment: rounded to nearest, ties to even, all NaNs having one code.

        Parameters
        ----------
        sums : [..., M, N] of `dot`.
        activation_sums : [..., M] of `prepare`.
        zero_points : [..., N], or None for zeros.
        scales : values of the scales of a segment, [..., N]; None leaves the sums as they are.
        total : the totals before, [..., M, N].
        """
        result = total.view(np.float32) + sums
        return np.where(np.isnan(result), np.float32(np.nan), result)

    def accumulate(
        self,
        a: NDArray[np.integer] | QTensor,
        w: QTensor,
        bias: NDArray | None = None,
        activation: str | None = None,
    ) -> NDArray[np.int32] | NDArray[np.float32]:
        """Return bias + A W as the circuit accumulates it; see `whole.accumulate`."""
        return whole.accumulate(self, a, w, bias, activation)
