"""What a processing element is, apart from its arithmetic: operand formats by mode, interval, accumulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # a processing element reads quantized tensors, but describing one must not load them
    from ..qtensor import QTensor


@dataclass(frozen=True)
class Mode:
    """One pair of operand formats that a processing element multiplies.

    Parameters
    ----------
    weight, activation : names of the scalar formats of the operands.
    interval : cycles that a step of k lanes takes; each reads one word of the weight scratchpad.
    """

    weight: str
    activation: str
    interval: int

    @property
    def name(self) -> str:
        return f"{self.weight}x{self.activation}"


class PE(Protocol):
    """What the program, the machine and the circuit ask of a processing element.

    Attributes
    ----------
    name : short name, which is also the name of its file on every floor.
    lanes : products that a cell sums in one step.
    group : length of the quantization group that the accumulator is made for.
    accumulator_bits : width of a cell's signed accumulator.
    modes : operand formats it multiplies, preferred first.
    activation_bits : bits of an activation.
    plane_bits : bits of a weight that a cell takes each cycle.
    finish_latency : cycles from a cell's result to the total that it is added to.
    """

    @property
    def name(self) -> str: ...
    @property
    def lanes(self) -> int: ...
    @property
    def group(self) -> int: ...
    @property
    def accumulator_bits(self) -> int: ...
    @property
    def modes(self) -> tuple[Mode, ...]: ...
    @property
    def activation_bits(self) -> int: ...
    @property
    def plane_bits(self) -> int: ...
    @property
    def finish_latency(self) -> int: ...

    def mode(self, weight: str) -> Mode:
        """Return the mode that multiplies weights of this element format."""

    def longest(self, mode: Mode) -> int:
        """Return how many products the accumulator surely holds."""

    def check_int32(self, weight: str, k: int, zero_point: bool, bias: int) -> None:
        """Raise `InputError` if `k` products and a bias of that magnitude could overflow an int32 accumulator."""

    def planes(self, integers: NDArray[np.integer], mode: Mode) -> NDArray[np.uint8]:
        """Return the weights as the scratchpad stores them, one plane for each cycle of the interval."""

    def prepare(self, a: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return what is computed once for each row of activations."""

    def dot(self, a: NDArray[np.integer], q: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the exact sums of a segment."""

    def finish(
        self,
        sums: NDArray[np.int64],
        activation_sums: NDArray[np.int64],
        zero_points: NDArray[np.integer] | None,
        scales: NDArray[np.floating] | None,
        total: NDArray[np.int32] | NDArray[np.float32],
    ) -> NDArray[np.int32] | NDArray[np.float32]:
        """Return the totals after one more segment."""

    def accumulate(
        self, a: NDArray[np.integer], w: QTensor, bias: NDArray | None = None, chunk: int | None = None
    ) -> NDArray[np.int32] | NDArray[np.float32]:
        """Return bias + A W as the circuit accumulates it, shape [M, N]."""
