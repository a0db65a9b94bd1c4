"""The terms of a matrix product: what an accumulator adds, one [M, N] array after the other.

Where scales do not vary along K a term is the product for one k; where they do it is the sum over a block, times the
scales of that block.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from itertools import islice, pairwise

import numpy as np

from ..errors import InputError
from ..formats.lmul import lmul
from . import exact, limbs, ranges
from .operand import Operand
from .ranges import Float, Range, span


def segments(left: Operand, right: Operand) -> list[tuple[int, int]]:
    """Return the parts of K, one for each term: single steps, or those in which neither side changes its scale."""
    sizes = [side.block for side in (left, right) if side.block is not None] or [1]
    edges = {edge for size in sizes for edge in range(0, left.k, size)}
    return list(pairwise(sorted(edges | {left.k})))


def sum_range(left: Operand, right: Operand, product: str, length: int) -> Range:
    """Return the range of sums of `length` products of elements."""
    element = left.element_range()
    return element * length if product == "lmul" else element * right.element_range() * length


def terms(left: Operand, right: Operand, product: str = "exact") -> Iterator[Float]:
    """Yield the terms as float64: exact where it holds them, otherwise rounded to odd.

    Parameters
    ----------
    product : ``"exact"``, or ``"lmul"`` for `lmul` in place of the product of elements.

    Raises
    ------
    InputError : if operands do not suit L-Mul, or its sums over a block do not fit float64.
    """
    singles = _lmul_products(left, right) if product == "lmul" else _products(left, right)
    return singles if left.block is None and right.block is None else _block_terms(left, right, product, singles)


def _products(left: Operand, right: Operand) -> Iterator[Float]:
    a, w = np.ascontiguousarray(left.elements().T), right.elements()
    fits = ranges.precision(a) + ranges.precision(w) <= limbs.PRECISION
    for column, row in zip(a, w, strict=True):
        yield _multiply(column[:, None], row, fits)


def _lmul_products(left: Operand, right: Operand) -> Iterator[Float]:
    if left.format != right.format:
        raise InputError(f"L-Mul takes two floats of the same format, not {left.name} and {right.name}")
    for side in (left, right):
        if side.zero_points is not None or side.inner is not None:
            raise InputError(f"L-Mul adds the codes of elements, to which {side.name} has more than one scale to add")
    for column, row in zip(left.codes.T, right.codes, strict=True):
        yield left.format.decode(lmul(left.format, column[:, None], row))


def _block_terms(left: Operand, right: Operand, product: str, singles: Iterator[Float]) -> Iterator[Float]:
    parts = segments(left, right)
    longest = max((stop - start for start, stop in parts), default=0)
    sums = sum_range(left, right, product, longest)
    if product == "lmul":
        if not sums.exact_in(np.float64):
            raise InputError(f"L-Mul sums over blocks of {longest} could reach {sums}, more than the 2^53 of float64")
        totals = (reduce(np.add, islice(singles, stop - start)) for start, stop in parts)
    elif dtype := _exact_type(left, right, longest):
        a, w = left.elements(dtype), right.elements(dtype)
        totals = ((a[:, start:stop] @ w[start:stop]).astype(np.float64) for start, stop in parts)
    else:
        # These sums are rounded to odd, and that must come last: the scales go into the significands.
        a, w, left_range, right_range = left.values(), right.values(), left.value_range(), right.value_range()
        for start, stop in parts:
            yield exact.by_limbs(a[:, start:stop], w[start:stop], left_range, right_range, odd=True)
        return
    scales = [side.scales for side in (left, right) if side.scales is not None]
    # The elements that occur are in the range of all, so that their sums have no more bits than `sums`.
    fits = sums.bits + sum(map(ranges.precision, scales)) <= limbs.PRECISION
    for (start, _), total in zip(parts, totals, strict=True):
        yield _multiply(total, _scale(left, start) * _scale(right, start), fits)


def _exact_type(left: Operand, right: Operand, length: int) -> str | None:
    """Return the float type in which sums of `length` products of elements are exact, if there is one."""
    return exact.single(length, left.element_range(), right.element_range()) or exact.single(
        length, left.element_range(observed=True), right.element_range(observed=True)
    )


def _scale(side: Operand, k: int) -> Float:
    """Return the block scales of one side at k, broadcasting to the product."""
    if side.scales is None or side.block is None:
        return np.ones((1, 1))
    return side.scales.take([k // side.block], axis=side.axis)


def _multiply(x: Float, y: Float, fits: bool) -> Float:
    return x * y if fits else limbs.multiply_to_odd(x, y)


def lmul_total(left: Operand, right: Operand, outer: Float | None, odd: bool) -> Float:
    """Return the exact sum of all L-Mul terms times `outer`, rounded once to float64: to odd, or to nearest even.

    Raises
    ------
    InputError : as `terms` does, or if a term times its scales is not exact in float64.
    """
    every = terms(left, right, "lmul")
    sums = sum_range(left, right, "lmul", left.k)
    bits = sums.bits
    scales = [some for some in (left.scales, right.scales, outer) if some is not None]
    for some in scales:
        sums, bits = sums * span(some), bits + ranges.precision(some)
    if scales and bits > limbs.PRECISION:
        raise InputError(f"L-Mul sums of {left.name} times their scales need {bits} bits; float64 has 53")
    shape = left.codes.shape[0], right.codes.shape[1]
    return limbs.total(every if outer is None else (term * outer for term in every), shape, sums, odd)
