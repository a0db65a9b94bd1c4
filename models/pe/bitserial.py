"""Bit-serial products (ABQ-LLM, arXiv 2408.08554): weights of p bits and activations of q bits, p q binary products.

A plane of the weights meets a plane of the activations each cycle: the bits that are set in both are counted, and the
count is shifted by the sum of the two places (section 3 of the paper). Whatever p and q are, a cell has the same gates
but for the span of its shifts, and takes p q cycles a step.

Ours are the signs. Signed weights are stored from 0 on, as q + 2^(bits - 1), so that no plane of theirs counts
negative; the top plane of signed activations does, by the complement of its count. Both are taken back where results
are finished.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from ..errors import InputError
from ..formats import scalar
from .integer import FromZero
from .mode import Mode

WIDEST = 8
"""Bits of the widest operands."""


@dataclass(frozen=True)
class BitSerial(FromZero):
    """Description and exact arithmetic of a cell that counts the bits set in two planes.

    Parameters
    ----------
    activation : int1..int8 or uint1..uint8; a step takes a cycle for each of its bits and each of the weight's.
    weight_bits : bits of the widest weights, 1..8.

    Raises
    ------
    InputError : as in `IntegerPE`.
    """

    lanes: int = 16
    weight_bits: int = WIDEST

    name: ClassVar[str] = "bitserial"
    activations: ClassVar[tuple[str, ...]] = tuple(
        f"{kind}{bits}" for bits in range(WIDEST, 0, -1) for kind in ("int", "uint")
    )
    plane_bits: ClassVar[int] = 1
    prepare_latency: ClassVar[int] = 1

    @classmethod
    def variants(cls) -> tuple[dict[str, Any], ...]:
        """Return the parameters, other than sizes, of a few circuits: with signed activations and without."""
        return (
            {"activation": "int4", "weight_bits": 2},
            {"activation": "int8", "weight_bits": 4},
            {"activation": "uint3", "weight_bits": 3},
            {"activation": "uint1", "weight_bits": 2},
        )

    def __post_init__(self) -> None:
        if not 1 <= self.weight_bits <= WIDEST:
            raise InputError(f"{self.name}: weight_bits is {self.weight_bits}, it must be 1..{WIDEST}")
        super().__post_init__()

    @property
    def weight_modes(self) -> dict[str, int]:
        """Formats of weights, narrowest first, and the cycles that a step takes with each."""
        phases = scalar(self.activation).bits
        return {f"{kind}{bits}": bits * phases for bits in range(1, self.weight_bits + 1) for kind in ("int", "uint")}

    @cached_property
    def modes(self) -> tuple[Mode, ...]:
        """Operand formats, preferred first."""
        phases = scalar(self.activation).bits
        return tuple(
            Mode(weight, self.activation, interval, phases=phases) for weight, interval in self.weight_modes.items()
        )

    @property
    def activation_bits(self) -> int:
        """Bits in which an activation is stored: 1, 2, 4 or 8."""
        return 1 << (scalar(self.activation).bits - 1).bit_length()
