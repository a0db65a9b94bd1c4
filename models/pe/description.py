"""What a processing element is, apart from its arithmetic: operand formats by mode, interval, accumulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # a processing element reads quantized tensors, but describing one must not load them
    from ..qtensor import QTensor


@dataclass(frozen=True)
class Mode:
    """One pair of operand formats that a processing element multiplies.

    Parameters
    ----------
    weight, activation : names of the formats of the operands: scalar formats, or block formats whose scales the cell or
        what follows it takes into account.
    interval : cycles that a step of k lanes takes.
    packing : products that a lane forms in a step, of so many operands next to one another in its words.
    phases : cycles for which a plane of the weights stays at the cells.
    row_header, column_header : words that come before the operands of a segment at each row and at each column, such as
        the scale of a block: a row's as wide as its operands in a step, a column's as wide as a plane of its weights.
    scale : scalar format of the scales that the finish station takes; empty if it takes none.
    """

    weight: str
    activation: str
    interval: int
    packing: int = 1
    phases: int = 1
    row_header: int = 0
    column_header: int = 0
    scale: str = "fp16"

    @property
    def name(self) -> str:
        return f"{self.weight}x{self.activation}"

    @property
    def header(self) -> int:
        """Cycles before a segment's first step."""
        return max(self.row_header, self.column_header)

    @property
    def planes(self) -> int:
        """Words of weights that a step reads."""
        return self.interval // self.phases


class PE(Protocol):
    """What the program, the machine and the circuit ask of a processing element.

    Operands are given as numbers: integers, or codes of formats that are not integers. `prepare`, `dot` and `finish`
    are its golden arithmetic. In modes with headers the numbers of a segment begin with them, cut into codes as wide as
    the others: row_header or column_header times lanes * packing.

    Attributes
    ----------
    name : short name, which is also the name of its file on every floor.
    lanes : words of each operand that a cell takes in one step.
    group : length of the quantization group that the accumulator is made for.
    accumulator_bits : width of a cell's signed accumulator.
    modes : operand formats it multiplies, preferred first.
    activation_bits : bits of a lane's word of activations.
    plane_bits : bits of a lane's word of weights, of which a cell takes one each cycle.
    prepare_latency : cycles from the operands of the tile to those of its cells.
    dot_latency : cycles from the last operands of a segment at the cells to their results.
    finish_latency : cycles from a cell's result to the total that it is added to.
    unit_scale : code of the scale 1.
    outputs : formats of results that circuits with this processing element can round to.
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
    def prepare_latency(self) -> int: ...
    @property
    def dot_latency(self) -> int: ...
    @property
    def finish_latency(self) -> int: ...
    @property
    def unit_scale(self) -> int: ...
    @property
    def outputs(self) -> tuple[str, ...]: ...

    def mode(self, weight: str, activation: str) -> Mode:
        """Return the mode that multiplies weights and activations of these element formats."""

    def longest(self, mode: Mode) -> int:
        """Return how many products the accumulator surely holds."""

    def floating(self, mode: Mode, grouped: bool) -> bool:
        """Return whether totals are float32; else they are int32."""

    def check_int32(self, weight: str, k: int, zero_point: bool, bias: int) -> None:
        """Raise `InputError` if `k` products and a bias of that magnitude could overflow an int32 accumulator."""

    def planes(self, numbers: NDArray[np.integer], mode: Mode) -> NDArray[np.unsignedinteger]:
        """Return the weights as the scratchpad stores them: [planes, ...]."""

    def weights(self, planes: NDArray[np.integer], mode: Mode) -> NDArray[np.integer]:
        """Return the weights that `planes` turned into `planes`."""

    def activation_operands(self, a: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return the numbers of activations [M, K], with the headers of their segments."""

    def weight_operands(self, w: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return the numbers of weights [K, N], with the headers of their segments."""

    def segment_scales(self, w: QTensor, mode: Mode) -> NDArray[np.integer]:
        """Return the codes of the scales that the finish station takes, for each segment and column or for a column."""

    def prepare(self, a: NDArray[np.integer], mode: Mode) -> NDArray[np.int64]:
        """Return what is computed once for each row of activations. a : [..., M, k]; returns [..., M]."""

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
        """Return the totals after one more segment."""

    def accumulate(
        self,
        a: NDArray[np.integer],
        w: QTensor,
        bias: NDArray | None = None,
        chunk: int | None = None,
        activation: str = "int8",
    ) -> NDArray[np.int32] | NDArray[np.float32]:
        """Return bias + A W as the circuit accumulates it, shape [M, N]."""
