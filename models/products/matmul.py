"""Products of quantized matrices with a stated accumulator: exact, rounded, wrapping or saturating.

Scales stay outside the products of elements: those of blocks multiply the sum of their block, those of channels and
tensors the finished sum. Only exact sums over several blocks take block scales into the significands, so that one BLAS
call does for the whole of K.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, unknown
from ..formats import Format, scalar
from . import exact, limbs
from .accumulate import ORDERS, encoder, fixed, fixed_bits, floating
from .exact import Encode, Plan
from .operand import Operand, Source, operand
from .ranges import Float, Range, span
from .terms import lmul_total, segments, sum_range, terms

PRODUCTS = ("exact", "lmul")


def matmul(
    a: Source,
    w: Source,
    accumulate: str = "exact",
    order: str = "sequential",
    overflow: str | None = None,
    product: str = "exact",
    output: Format | str | None = None,
    path: str | None = None,
    explain: bool = False,
) -> NDArray | tuple[NDArray, Plan]:
    """Return A W.

    Parameters
    ----------
    a, w : [M, K] and [K, N], each a QTensor with its scales along K, or a scalar format (or its name) and codes:
        ``matmul(("posit(8,0)", a), ("posit(8,0)", w))``.
    accumulate : what sums are kept in.
        ``"exact"``: all of their bits (a quire); rounded once, at the end.
        A scalar format such as ``"fp32"``, ``"fp16"`` or ``"bf16"``: every product is rounded to it, and every sum. Of
        operands in blocks, what is rounded and summed are the exact sums of blocks times the scales of the block.
        ``"intN"``: signed integers of N bits, 2 to 53, which count units of the least product of the formats (of
        integers 1); for operands without blocks.
    order : of the additions. ``"sequential"``: ((p_0 + p_1) + p_2) + ...; ``"pairwise"``: neighbours, then neighbours
        among these sums, and so on, an odd one out being passed on.
    overflow : of the accumulator and of the output. None: integer accumulators wrap; the rest becomes infinite if the
        format has infinity, and saturates if not. ``"saturate"``; ``"wrap"`` for integer accumulators; ``"infinity"``
        and ``"nan"`` for formats that have them.
    product : ``"exact"``, or ``"lmul"``: one integer addition on the codes of two floats of the same format
        (`dyad.models.formats.lmul`, arXiv 2410.00907).
    output : scalar format to round the result to, to nearest in the way of that format; None is float64.
    path : how to compute an exact product, one of `exact.PATHS`; None is the cheapest that is proven to be exact.
    explain : whether to return also how the product was computed, and why so.

    Returns
    -------
    [M, N], float64 or codes of `output`. What needs more than 53 significant bits is rounded once to float64, to
    nearest even. An exact sum of zero is +0. NaN and infinity go as in float64; where posits have NaR it is NaN.
    With `explain` a pair of that and an `exact.Plan`, whose string is one line.

    Raises
    ------
    InputError : on operands that are not matrices over the same K with scales along it, an unknown choice, a path that
        is not exact here, an accumulator that does not suit the operands, or a NaN for a format that has none.
    """
    left, right = operand(a, 1, "a"), operand(w, 0, "w")
    if left.k != right.k:
        raise InputError(f"a of shape {left.codes.shape} does not multiply w of shape {right.codes.shape}")
    for what, choice, choices in (("order", order, list(ORDERS)), ("product", product, list(PRODUCTS))):
        if choice not in choices:
            raise unknown(what, choice, choices)
    if path is not None and (accumulate, product) != ("exact", "exact"):
        raise InputError(f"path {path!r} is for exact sums of exact products; this is {accumulate}, {product}")
    encode = None
    if output is not None:
        chosen = output if isinstance(output, Format) else scalar(output)
        encode = encoder(chosen, None if overflow == "wrap" else overflow)

    if accumulate != "exact":
        total, plan = _accumulated(left, right, accumulate, order, overflow, product)
        result = _scaled(total, left, right, encode)
    elif product == "exact":
        result, plan = _exact(left, right, encode, path)
    else:
        total = lmul_total(left, right, _outer(left, right), odd=encode is not None)
        result = total if encode is None else encode(total)
        plan = Plan("words", f"K = {left.k}: each L-Mul product is added to words of integers, as wide as it takes")
    return (result, plan) if explain else result


def _exact(left: Operand, right: Operand, encode: Encode | None, path: str | None) -> tuple[NDArray, Plan]:
    k, what = left.k, f"{left.name} x {right.name}"
    reach = left.value_range(), right.value_range()
    if exact.single(k, *reach, path) is None:
        reach = left.value_range(observed=True), right.value_range(observed=True)
        what += ", of the values that occur,"
    plan = exact.plan(k, *reach, encode is not None, path, what)
    if plan.path in ("float32", "float64"):
        with np.errstate(invalid="ignore"):
            sums = left.values(plan.path) @ right.values(plan.path)
        sums += 0  # -0 becomes +0
        return _scaled(sums.astype(np.float64, copy=False), left, right, encode), plan

    # What is rounded once, to begin with, must have all of its scales by then.
    (x, x_range), (y, y_range) = (_whole(side, each) for side, each in zip((left, right), reach, strict=True))
    plan = exact.plan(k, x_range, y_range, encode is not None, path, what)
    if plan.path == "certified" and encode is not None:
        codes, undecided = exact.certified(x, y, x_range, y_range, encode)
        return codes, Plan(plan.path, f"{plan.reason}; {undecided} of {codes.size} results were left to limbs")
    total = exact.by_limbs(x, y, x_range, y_range, odd=encode is not None)
    return (total if encode is None else encode(total)), plan


def _whole(side: Operand, reach: Range) -> tuple[Float, Range]:
    """Return the values of one side with all scales, and their range, given the range without outer scales."""
    if side.outer is None:
        return side.values(), reach
    return side.values() * side.outer, reach * span(side.outer)


def _accumulated(
    left: Operand, right: Operand, accumulate: str, order: str, overflow: str | None, product: str
) -> tuple[Float, Plan]:
    """Return the sum without outer scales."""
    parts = len(segments(left, right))
    bits, path = fixed_bits(accumulate), f"{accumulate} {order}"
    if bits is None:
        adder = floating(accumulate, overflow)
        each = "products, each" if left.block is right.block is None else "blocks, their exact sums times their scales"
        reason = f"K = {left.k}: {parts} {each} rounded to {accumulate}, as is every sum of them"
    else:
        unit = _unit(left, right, accumulate, product)
        adder = fixed(bits, unit.exponent, overflow)
        sums, limit = unit * left.k, 2 ** (bits - 1) - 1
        reason = f"K = {left.k}: sums could reach {sums}, {accumulate} holds {limit}"
        # Wrapping once is as good as wrapping at every addition, and what cannot overflow does not saturate either.
        harmless = overflow != "saturate" or sums.largest <= limit
        if harmless and product == "exact" and sums.exact_in(np.float64):
            total = adder.value(adder.load(left.elements() @ right.elements()))
            return total, Plan(f"{accumulate} at once", f"{reason}, and one float64 product is exact")
    if parts == 0:
        return np.zeros((left.codes.shape[0], right.codes.shape[1])), Plan(path, reason)
    return adder.total(terms(left, right, product), order), Plan(path, reason)


def _unit(left: Operand, right: Operand, accumulate: str, product: str) -> Range:
    """Return the range of single products, whose unit an integer accumulator counts."""
    for side in (left, right):
        if side.block is not None:
            raise InputError(f"{accumulate} cannot sum blocks of {side.name}, each of which has a scale of its own")
        if side.format.bits > 16:
            raise InputError(f"{accumulate} needs formats of at most 16 bits, not {side.name}")
    unit = sum_range(left, right, product, 1)
    if unit.bits > 62:
        raise InputError(f"{accumulate} cannot sum products of {left.name} and {right.name}, which reach {unit}")
    return unit


def _scaled(sums: Float, left: Operand, right: Operand, encode: Encode | None) -> NDArray:
    """Return sums that are exact in float64 times the outer scales, rounded once."""
    outer = _outer(left, right)
    if outer is None:
        return sums if encode is None else encode(sums)
    if encode is None:
        return sums * outer
    return encode(limbs.multiply_to_odd(sums, outer))


def _outer(left: Operand, right: Operand) -> Float | None:
    """Return the scales that do not vary along K, as they broadcast to the result; at most two of 24 bits each."""
    scales = [side.outer for side in (left, right) if side.outer is not None]
    return reduce(np.multiply, scales) if scales else None
