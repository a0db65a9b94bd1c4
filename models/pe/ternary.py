"""Ternary weights (BitNet b1.58, arXiv 2402.17764): add, subtract or skip.

A weight is -1, 0 or 1, stored in 2 bits (the codes of int2, as in the I2_S layout of bitnet.cpp, arXiv 2502.11880), or
five of them in a byte, which is 1.6 bits (`trits`): those of five steps, so that lanes can be any number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..qtensor import QTensor
from . import trits
from .integer import IntegerPE
from .mode import Mode


@dataclass(frozen=True)
class Ternary(IntegerPE):
    """Description and exact arithmetic of a cell that adds, subtracts or skips activations.

    Unless weights are packed the code of -2 is free; the circuit doubles and subtracts, so that the cell takes all of
    int2.

    Parameters
    ----------
    packed : whether weights are packed: a word of them has a byte for each lane and lasts for five steps.
    """

    packed: bool = False

    name: ClassVar[str] = "ternary"

    @classmethod
    def variants(cls) -> tuple[dict[str, Any], ...]:
        """Return the parameters of both kinds of weights."""
        return {}, {"packed": True}

    @property
    def plane_bits(self) -> int:
        """Bits of a lane in a word of weights."""
        return 8 if self.packed else 2

    @property
    def weight_modes(self) -> dict[str, int]:
        """The weights, in a single cycle."""
        return {"ternary" if self.packed else "int2": 1}

    @cached_property
    def modes(self) -> tuple[Mode, ...]:
        """The only mode."""
        steps = trits.DIGITS if self.packed else 1
        return tuple(
            Mode(weight, self.activation, interval, steps=steps) for weight, interval in self.weight_modes.items()
        )

    def planes(self, numbers: NDArray[np.integer], mode: Mode) -> NDArray[np.uint8]:
        """Return weights as the scratchpad stores them.

        Packed weights [..., K, N], filled up with zeros, become [1, ..., K', N], `lanes` bytes for each five steps.

        Raises
        ------
        InputError : if a packed weight is not -1, 0 or 1.
        """
        if not self.packed:
            return super().planes(numbers, mode)
        self._check(numbers)
        *outer, k, n = numbers.shape
        words = -(-k // (trits.DIGITS * self.lanes))
        digits = np.zeros((*outer, words * trits.DIGITS * self.lanes, n), np.int64)
        digits[..., :k, :] = numbers
        digits = np.moveaxis(digits.reshape(*outer, words, trits.DIGITS, self.lanes, n), -3, -1)
        return trits.pack(digits).reshape(1, *outer, words * self.lanes, n)

    def weights(self, planes: NDArray[np.integer], mode: Mode) -> NDArray[np.int64]:
        """Return the weights that `planes` came from, with what they were filled up by."""
        if not self.packed:
            return super().weights(planes, mode)
        *outer, k, n = planes.shape[1:]
        digits = trits.unpack(planes[0]).reshape(*outer, k // self.lanes, self.lanes, n, trits.DIGITS)
        return np.moveaxis(digits, -1, -3).reshape(*outer, trits.DIGITS * k, n)

    def check_operands(self, a: NDArray[np.integer], w: QTensor, mode: Mode) -> None:
        """Raise `InputError` if an activation, a scale or a packed weight is out of range."""
        super().check_operands(a, w, mode)
        if self.packed:
            self._check(w.numbers())

    def _check(self, numbers: NDArray[np.integer]) -> None:
        if (wrong := numbers[abs(numbers) > 1]).size:
            raise InputError(f"{self.name}: a weight is {wrong[0]}; those that are packed must be -1, 0 or 1")
