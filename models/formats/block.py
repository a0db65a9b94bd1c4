"""Block formats: many elements of a scalar format that share scales, on one or on several levels.

The value of an element is that of its code, less the zero point of its group if there is one, times one scale of each
level. A block format is data: an element format, levels of scales from coarse to fine, and the name of the recipe
(`RECIPES`) by which real values become codes. `block_names` lists those that are known by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, unknown
from ..qtensor import QTensor
from .block_exponents import RAISED_FROM, fit_shared_exponent
from .block_integers import fit_integers
from .block_levels import fit_one_bit_exponents, fit_two_level, gain_two_level
from .block_recipe import Choices, Recipe
from .block_scaled import fit_scaled
from .format import Format

RECIPES = {
    "integers": Recipe(fit_integers, clips=("minmax", "mse"), rounding="nearest-even"),
    "scaled": Recipe(fit_scaled),
    "shared-exponent": Recipe(fit_shared_exponent, rules=tuple(RAISED_FROM)),
    "two-level": Recipe(fit_two_level, gain_two_level, levels=2, rules=("two-level",)),
    "one-bit-exponents": Recipe(fit_one_bit_exponents, levels=None, rounding="nearest-away"),
}
"""How real values become codes, by name."""

CHUNK = 1 << 17
"""Elements quantized at a time: few enough to stay in a cache, enough to make the calls of NumPy worth while."""
STRIP = 128
"""Columns that are transposed at a time."""


@dataclass(frozen=True)
class Level:
    """One level of scales.

    Parameters
    ----------
    scale : format of the scales.
    extent : how many elements along the axis share a scale; ``"channel"`` is the whole axis, ``"tensor"`` all axes.
    """

    scale: Format
    extent: int | str


@dataclass(frozen=True)
class BlockFormat:
    """Elements that share scales along one axis.

    Parameters
    ----------
    name : name that `formats.parse` takes.
    element : format of the elements.
    levels : scales, coarse to fine. Each extent is a multiple of the next.
    recipe : how real values become codes, a key of `RECIPES`.
    zero_point : whether each group has an integer, in the range of the elements, that stands for 0.

    Raises
    ------
    InputError : on an unknown recipe, levels that do not suit it, or an extent that is not a multiple of the next.
    """

    name: str
    element: Format
    levels: tuple[Level, ...]
    recipe: str
    zero_point: bool = False

    def __post_init__(self) -> None:
        if self.recipe not in RECIPES:
            raise unknown("recipe", self.recipe, RECIPES)
        recipe, extents = RECIPES[self.recipe], [level.extent for level in self.levels]
        if recipe.levels not in (None, len(extents)) or bool(recipe.gain) != ("tensor" in extents[:-1]):
            raise InputError(f"{self.name}: scales for every {extents} do not go with recipe {self.recipe!r}")
        for coarse, fine in pairwise([*(extent for extent in extents if isinstance(extent, int)), 1]):
            if fine < 1 or coarse < 1 or coarse % fine:
                raise InputError(f"{self.name}: a block of {coarse} does not divide into blocks of {fine}")

    @property
    def scale(self) -> Format:
        """Format of the finest scales."""
        return self.levels[-1].scale

    @property
    def group(self) -> int | None:
        """Elements that share one of the finest scales; None is the whole axis, or the whole tensor."""
        extent = self.levels[-1].extent
        return extent if isinstance(extent, int) else None

    @property
    def per_tensor(self) -> bool:
        """Whether one scale serves the whole tensor, and nothing finer does."""
        return self.levels[-1].extent == "tensor"

    @property
    def block(self) -> int | None:
        """Elements of the largest blocks along the axis; None is the whole axis, or the whole tensor."""
        return next((level.extent for level in self.levels if isinstance(level.extent, int)), None)

    @property
    def operand(self) -> str:
        """Name by which processing elements know it: that of its elements, if sums are scaled and not elements."""
        return self.element.name if self.recipe in ("integers", "scaled") else self.name

    @property
    def rules(self) -> tuple[str, ...]:
        """Scale rules that `quantize` takes, the usual one first."""
        return RECIPES[self.recipe].rules

    @property
    def bits(self) -> float:
        """Bits stored for each element, its share of scales and zero points of blocks included."""
        shared = sum(level.scale.bits / level.extent for level in self.levels if isinstance(level.extent, int))
        return self.element.bits + shared + (self.element.bits / self.group if self.zero_point and self.group else 0)

    def quantize(
        self,
        x: ArrayLike,
        axis: int = -1,
        clip: str = "minmax",
        rule: str | None = None,
        rounding: str | None = None,
        seed: int | np.random.Generator | None = None,
    ) -> QTensor:
        """Return `x` rounded to this format.

        Elements are rounded with the scales as they are stored, that is after their own rounding.

        Parameters
        ----------
        x : real values, any shape with at least one axis. float32 and what it contains is taken as float32, the rest
            as float64; recipes that are defined in float32 or bfloat16 round it to that first.
        axis : the axis along which blocks lie; the last block may be shorter than the others.
        clip : the range to be covered: ``"minmax"`` is all of it; ``"mse"``, which only integers take, is for each
            group the fraction of it that has the least square error.
        rule : how the scale follows from the range, one of `rules`; None is the first.
        rounding : rounding of the elements as in `Format.encode`; None is the usual one of the format. Integers take
            no other, nor does hif4.
        seed : seed or generator of ``"stochastic"``.

        Returns
        -------
        QTensor of the shape of `x`. A block in which there is a NaN or an infinity has NaN for its scale.

        Raises
        ------
        InputError : on an unknown `clip`, `rule` or `rounding`; if `x` has no such axis, or no values; on a value that
            is not finite if the scales have no NaN.
        """
        x = _real(x)
        choices = self._choices(clip, rule, rounding, seed)
        if rounding not in (None, "nearest-even"):
            # Scaled down, the least float32 numbers vanish, and these roundings care that they are not zero.
            x = x.astype(np.float64)
        if not -x.ndim <= axis < x.ndim:
            raise InputError(f"axis {axis} does not exist in a tensor of shape {x.shape}")
        if not x.size:
            raise InputError(f"cannot quantize a tensor of shape {x.shape}, which has no values")

        recipe = RECIPES[self.recipe]
        moved = np.moveaxis(x, axis, -1)
        blocks = self._split(moved)
        gain = recipe.gain(self, blocks) if recipe.gain else np.float32(1)
        rows = max(1, CHUNK // blocks.shape[1])
        parts = [recipe.fit(self, blocks[row : row + rows], gain, choices) for row in range(0, len(blocks), rows)]

        def assemble(pieces: Iterable[NDArray], extent: int | str = 1) -> NDArray:
            joined = np.concatenate(list(pieces))
            if joined.size == 1:
                return joined.reshape([1] * x.ndim)
            # What fills up the last block is cut off again, and its finer scales.
            count = -(-moved.shape[-1] // extent) if isinstance(extent, int) else 1
            return np.moveaxis(joined.reshape(*moved.shape[:-1], -1)[..., :count], -1, axis)

        zero_points = [part.zero_points for part in parts if part.zero_points is not None]
        found = zip(*(part.scales for part in parts), strict=True)
        fitted = self.levels[1:] if recipe.gain else self.levels
        levels = [assemble(pieces, level.extent) for pieces, level in zip(found, fitted, strict=True)]
        if recipe.gain:
            levels.insert(0, self.levels[0].scale.encode(np.full([1] * x.ndim, np.float32(1) / gain)))
        return QTensor(
            codes=assemble(part.codes for part in parts),
            format=self,
            scales=levels[-1],
            zero_points=assemble(zero_points, self.levels[-1].extent) if zero_points else None,
            axis=axis % x.ndim,
            coarse=tuple(levels[:-1]),
        )

    def _choices(
        self, clip: str, rule: str | None, rounding: str | None, seed: int | np.random.Generator | None
    ) -> Choices:
        recipe = RECIPES[self.recipe]
        rule = rule or recipe.rules[0]
        for kind, value, possible in (("clip", clip, recipe.clips), ("scale rule", rule, recipe.rules)):
            if value not in possible:
                raise unknown(kind, value, possible)
        if recipe.rounding and rounding not in (None, recipe.rounding):
            raise InputError(f"rounding of {self.name} is always {recipe.rounding!r}, it cannot be {rounding!r}")
        # One generator for all chunks: each would draw the same numbers from a seed of its own.
        generator = None if seed is None else np.random.default_rng(seed)
        return Choices(clip, rule, partial(self.element.encode, rounding=rounding or recipe.rounding, seed=generator))

    def _split(self, x: NDArray) -> NDArray:
        """Return x [..., K] as blocks [blocks, values], the last block of each row filled up with zeros."""
        length = x.shape[-1]
        size = self.block or length
        if self.group == self.block:  # else its parts have scales of their own
            size = min(size, length)
        if missing := -length % size:
            x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)])
        x = _contiguous(x)
        return x.reshape(1, -1) if self.per_tensor else x.reshape(-1, size)


def _contiguous(x: NDArray) -> NDArray:
    """Return `x` in C order; a copy goes a few cache lines at a time, which transposes much faster than all at once."""
    if x.flags.c_contiguous:
        return x
    copy = np.empty(x.shape, x.dtype)
    for start in range(0, x.shape[-1], STRIP):
        copy[..., start : start + STRIP] = x[..., start : start + STRIP]
    return copy


def _real(x: ArrayLike) -> NDArray:
    """Return `x` as float32 if that is exact whatever the values are, else as float64."""
    x = np.asarray(x)
    if np.can_cast(x.dtype, np.float32):
        return x.astype(np.float32, copy=False)
    if not np.can_cast(x.dtype, np.float64, "same_kind"):
        raise InputError(f"cannot quantize values of type {x.dtype}; they must be real numbers")
    return x.astype(np.float64, copy=False)
