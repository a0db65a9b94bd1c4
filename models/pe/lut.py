"""LUT Tensor Core (arXiv 2408.06003): products of activations and weights of a few bits, looked up.

A weight q of b bits becomes q' = 2 (q - minimum) - (2^b - 1), a sum of planes of -1 and +1 times powers of two (section
3 of the paper). Four activations have 16 sums +-a0 +-a1 +-a2 +-a3; a row computes the 8 of them in which a3 is added,
all its columns look them up, and a cell negates what it has found where a3 is subtracted. Which of the 8 it is, is
worked out before weights are stored.

Ours leaves out one bit of the tables: the sums of four activations are all even or all odd, and a table holds their
halves, rounded down. A cell so adds up halves, and the finish station puts the sum of products together with the number
of odd tables of a segment. A table of int8 has entries of 9 bits: its sums are -512..511, since only a3 cannot be
negated, and a cell complements entries, which takes no wider number than they are.

Tables of floats may be rounded to a few bits, as the paper's are: see `quantized_tables`. Products are then no longer
exact, but their sums are.

Binary weights, -1 and 1, are a plane as it is: twice a weight of one bit, less the sum of the activations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..formats import scalar
from ..products import exact
from . import quantized_tables
from .fixed import fixed_point
from .integer import IntegerPE
from .mode import Mode
from .quantized_tables import TABLE


@dataclass(frozen=True)
class Lut(IntegerPE):
    """Description and exact arithmetic of a cell that looks up sums of four activations.

    Parameters
    ----------
    lanes : a multiple of 4.
    weight_bits : bits of the widest weights: 1, 2 or 4, or any number up to 8 if serial; with 1 also binary ones.
    serial : whether a cell looks up one plane of the weights in a cycle, so that narrower weights take fewer cycles;
        else it looks up all `weight_bits` planes at once.
    table_bits : bits of an entry of quantized tables, 2..16, for activations that are floats; 0 keeps tables exact.

    Raises
    ------
    InputError : as in `IntegerPE`.
    """

    weight_bits: int = 4
    serial: bool = False
    table_bits: int = 0

    name: ClassVar[str] = "lut"
    activations: ClassVar[tuple[str, ...]] = ("int8", "int16", "e4m3", "e5m2", "fp16")

    @classmethod
    def variants(cls) -> tuple[dict[str, Any], ...]:
        """Return the parameters, other than sizes, of circuits that differ: all kinds, all formats of activations."""
        return (
            {"activation": "int8"},
            {"activation": "int8", "serial": True},
            {"activation": "int16", "weight_bits": 2},
            {"activation": "e4m3", "weight_bits": 2, "serial": True},
            {"activation": "e5m2", "weight_bits": 1},
            {"activation": "fp16", "weight_bits": 1},
            {"activation": "fp16", "weight_bits": 1, "table_bits": 8},
            {"activation": "e4m3", "table_bits": 8},
            {"activation": "e5m2", "weight_bits": 2, "serial": True, "table_bits": 8},
        )

    def __post_init__(self) -> None:
        if self.lanes % TABLE:
            raise InputError(f"{self.name}: lanes is {self.lanes}, it must be a multiple of {TABLE}")
        if self.weight_bits not in (range(1, 9) if self.serial else (1, 2, 4)):
            allowed = "1..8" if self.serial else "1, 2 or 4"
            raise InputError(f"{self.name}: weight_bits is {self.weight_bits}, it must be {allowed}")
        if self.table_bits and self.table_bits not in range(2, 17):
            raise InputError(f"{self.name}: table_bits is {self.table_bits}, it must be 0 or 2..16")
        super().__post_init__()
        if self.table_bits and scalar(self.activation).encoding == "integer":
            raise InputError(f"{self.name}: tables of {self.activation} are exact, table_bits must be 0")

    @property
    def plane_bits(self) -> int:
        """Planes of a weight that a cell looks up in a cycle."""
        return 1 if self.serial else self.weight_bits

    @property
    def weight_modes(self) -> dict[str, int]:
        """Formats of weights, and the cycles that a step takes with each; binary ones if there is but one plane."""
        binary = {"binary": 1} if self.weight_bits == 1 else {}
        widths = range(1, self.weight_bits + 1) if self.serial else [self.weight_bits]
        return {f"{kind}{bits}": bits if self.serial else 1 for bits in widths for kind in ("int", "uint")} | binary

    @property
    def prepare_latency(self) -> int:
        """Cycles that the row takes to decode activations, to compute its tables and to round them."""
        return 1 + super().prepare_latency + bool(self.table_bits)

    def _largest_term(self, mode: Mode) -> int:
        """Return the largest magnitude of what a cell adds for one activation in all planes.

        Of exact tables that is its half, rounded up, else what it adds to a rounded sum.
        """
        largest = fixed_point(self.activation).largest
        if self.table_bits:
            entry = quantized_tables.largest_entry(largest, self.table_bits)
        else:
            entry = -(-largest // 2)
        return entry * ((1 << scalar(mode.weight).bits) - 1)

    def tables(self, a: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the quantized tables of activations [..., k], codes of floats, in their unit: [..., k / 4, 8]."""
        return quantized_tables.rounded(quantized_tables.exact(self._numbers(a)), self.table_bits)

    def prepare(self, a: NDArray[np.integer], mode: Mode) -> NDArray[np.int64]:
        """Return what all columns of a row share: the sum of its activations, or what its quantized tables make of it.

        a : [..., M, k], as in `IntegerPE.prepare`; returns [..., M].
        """
        return self.tables(a)[..., 0].sum(axis=-1) if self.table_bits else super().prepare(a, mode)

    def dot(self, a: NDArray[np.integer], q: NDArray[np.integer], mode: Mode) -> NDArray[np.int64]:
        """Return the sums of a segment, exact up to the rounding of tables. a : [..., M, k]; q : [..., k, N]."""
        products = self._products(a, q, mode)
        # Codes 0 and 1 stand for -1 and 1.
        return 2 * products - self.prepare(a, mode)[..., None] if is_binary(mode) else products

    def finish(
        self,
        sums: NDArray[np.int64],
        activation_sums: NDArray[np.int64],
        zero_points: NDArray[np.integer] | None,
        scales: NDArray[np.floating] | None,
        total: NDArray[np.int32] | NDArray[np.float32],
        mode: Mode,
    ) -> NDArray[np.int32] | NDArray[np.float32]:
        """Return the totals after one more segment, see `IntegerPE.finish`; binary weights have no zero points."""
        return super().finish(sums, activation_sums, None if is_binary(mode) else zero_points, scales, total, mode)

    def _products(self, a: NDArray[np.integer], q: NDArray[np.integer], mode: Mode) -> NDArray[np.int64]:
        """Return the sums of a segment, of weights as the numbers that they are given as."""
        if not self.table_bits:
            return super().dot(a, q, mode)
        tables, bits = self.tables(a), scalar(mode.weight).bits
        lacking = np.full((*q.shape[:-2], -q.shape[-2] % TABLE, q.shape[-1]), minimum(mode))
        codes = self.stored(np.concatenate([q, lacking], axis=-2), mode)
        chosen = quantized_tables.selections(codes, bits)
        # One product for each of the eight entries: at most one of them counts in a plane.
        planes = exact.matmul(np.moveaxis(tables, -1, -3), np.moveaxis(chosen, -2, -3)).sum(axis=-3)
        # Planes of -1 and +1 are 2 (q - minimum) - (2^bits - 1).
        total = tables[..., 0].sum(axis=-1)[..., None]
        return (planes + ((1 << bits) - 1) * total) // 2 + minimum(mode) * total

    def stored(self, numbers: NDArray[np.integer], mode: Mode) -> NDArray[np.integer]:
        """Return the code of weights [..., K, N], K a multiple of 4, as the cells look them up.

        A bit says of each plane: in the first three lanes of a table whether the activation is added with the other
        sign than that of the fourth, in the fourth whether that is negative.
        """
        codes = numbers - minimum(mode)
        tables = codes.reshape(*codes.shape[:-2], codes.shape[-2] // TABLE, TABLE, codes.shape[-1])
        fourth = tables[..., TABLE - 1 :, :]
        mask = (1 << scalar(mode.weight).bits) - 1
        return np.concatenate([tables[..., : TABLE - 1, :] ^ fourth, fourth ^ mask], axis=-2).reshape(codes.shape)

    def loaded(self, codes: NDArray[np.integer], mode: Mode) -> NDArray[np.integer]:
        """Return the weights [..., K, N] whose code this is."""
        tables = codes.astype(np.int64).reshape(*codes.shape[:-2], codes.shape[-2] // TABLE, TABLE, codes.shape[-1])
        fourth = tables[..., TABLE - 1 :, :] ^ (1 << scalar(mode.weight).bits) - 1
        numbers = np.concatenate([tables[..., : TABLE - 1, :] ^ fourth, fourth], axis=-2).reshape(codes.shape)
        return numbers + minimum(mode)


def is_binary(mode: Mode) -> bool:
    """Return whether weights are -1 and 1, given as codes 0 and 1."""
    return mode.weight == "binary"


def minimum(mode: Mode) -> int:
    """Return the least number that a weight is given as."""
    return 0 if is_binary(mode) else int(scalar(mode.weight).minimum)
