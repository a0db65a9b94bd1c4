"""Exact matrix products through BLAS, by the cheapest path that a proof allows.

Floating-point arithmetic is exact as long as no intermediate value needs more bits than the significand has. BLAS may
add the products of a row and a column in any order, so the proof bounds the sum of their magnitudes, which bounds every
partial sum: K max|a| max|w|, counted in the unit that all products are multiples of. The paths, cheapest first:

``"float32"``, ``"float64"``
    One BLAS call, if that bound is at most 2^24 or 2^53.
``"certified"``
    For results that are rounded to a format: one float64 call whatever the bound is, and limbs for the few entries that
    its error leaves undecided; see `certified`.
``"limbs"``
    Several float64 calls on significands cut into limbs, each of which is exact; see `limbs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, unknown
from . import limbs
from .ranges import Float, Range

PATHS = ("float32", "float64", "certified", "limbs")
CERTIFIED_LONGEST = 2**40
"""Sums that `certified` takes, far from where K^2 2^-53 would matter to its bound."""

Encode = Callable[[Float], NDArray[np.unsignedinteger]]
"""From exact or to-odd rounded values to codes, by a rounding that is monotone."""


@dataclass(frozen=True)
class Plan:
    """The path of a product and why it was taken; as a string, both in one line."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def single(k: int, a: Range, w: Range, path: str | None = None) -> str | None:
    """Return the float type in which one BLAS call is exact for sums of `k` products of values in these ranges.

    `path` rules out the other type; None is returned if neither is left.
    """
    for name in ("float32", "float64"):
        if path in (None, name) and all(part.exact_in(name) for part in (a, w, a * w * k)):
            return name
    return None


def plan(k: int, a: Range, w: Range, rounded: bool = False, path: str | None = None, what: str = "values") -> Plan:
    """Return the path for sums of `k` products of values in these ranges.

    Parameters
    ----------
    rounded : whether results are rounded to a format, which the certified path needs.
    path : one of `PATHS`, to be taken if it can be; None is the cheapest.
    what : what the operands are called.

    Raises
    ------
    InputError : if the path is unknown or not exact here, or if sums exceed the exponents of float64.
    """
    if path is not None and path not in PATHS:
        raise unknown("path", path, PATHS)
    sums = a * w * k
    bound = f"K = {k}: sums of {what} could reach {sums}"
    if not all(part.reached_by(np.float64) for part in (Range(0, a.largest), Range(0, w.largest), sums)):
        raise InputError(f"{bound}, which exceeds the exponents of float64")
    if (name := single(k, a, w, path)) is not None:
        return Plan(name, f"{bound}, and one {name} product is exact up to {_limit(name)}")
    if path in ("float32", "float64"):
        longest = int(2 ** (np.finfo(path).nmant + 1)) // max(1, a.largest * w.largest)
        raise InputError(f"{bound}; one {path} product is exact up to {_limit(path)}, here K = {longest}")
    reason = f"{bound}, {'as asked for' if path else 'more than the 2^53 of float64'}"
    known_error = k <= CERTIFIED_LONGEST and all((part * part * k).reached_by(np.float64) for part in (a, w))
    if rounded and known_error and path != "limbs":
        return Plan("certified", f"{reason}; the error of float64 is known")
    if path == "certified":
        raise InputError(f"{bound}; the certified path needs an output to round to, and squares within float64")
    split = limbs.split_for(k, a, w)
    return Plan("limbs", f"{reason}; {split.left} x {split.right} limbs of {split.width} bits")


def _limit(name: str) -> str:
    return f"2^{np.finfo(name).nmant + 1}"


def by_limbs(a: Float, w: Float, left: Range, right: Range, odd: bool) -> Float:
    """Return the exact product of matrices, rounded once to float64; NaN and infinity go as in float64.

    Parameters
    ----------
    a, w : [M, K] and [K, N]; their finite values are in the ranges `left` and `right`.
    odd : whether to round to odd, for results that are rounded again, or to nearest even.
    """
    rows, columns = ~np.isfinite(a).all(axis=1), ~np.isfinite(w).all(axis=0)
    if not rows.any() and not columns.any():
        return limbs.product(a, w, left, right, odd)
    result = limbs.product(np.where(np.isfinite(a), a, 0), np.where(np.isfinite(w), w, 0), left, right, odd)
    # Where an operand is not finite neither is the sum, or it is NaN: no rounding.
    with np.errstate(invalid="ignore"):
        result[rows] = a[rows] @ w
        result[:, columns] = a @ w[:, columns]
    return result


def certified(a: Float, w: Float, left: Range, right: Range, encode: Encode) -> tuple[NDArray[np.unsignedinteger], int]:
    """Return the codes of the exact product, rounded once, and how many of them one float64 product left undecided.

    Its result C is off by at most gamma |a| |w| with gamma = K u / (1 - K u), u = 2^-53, in whatever order BLAS adds
    (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1; nothing underflows in these ranges), and the
    sum of |a| |w| is at most the product of the norms of row and column. So with e twice that and more, which makes up
    for the rounding of e, C - e and C + e themselves, the exact sum lies between C - e and C + e. Where both round to
    the same code so does the sum, because rounding is monotone. The others are computed by limbs.

    Parameters
    ----------
    a, w : [M, K] and [K, N]; their finite values are in the ranges `left` and `right`.
    """
    k = a.shape[1]
    with np.errstate(invalid="ignore"):
        center = a @ w
        norms = [np.sqrt(np.einsum(axes, x, x)) for axes, x in (("mk,mk->m", a), ("kn,kn->n", w))]
        error = np.outer((k + 2) * 2.0**-52 * norms[0], norms[1])
    # NaN and infinity come of operands that are, and are exact.
    error[~np.isfinite(center)] = 0
    codes, above = encode(center - error), encode(center + error)
    undecided = np.flatnonzero(codes != above)
    if undecided.size * 16 > codes.size:
        return encode(by_limbs(a, w, left, right, odd=True)), undecided.size
    rows, columns = np.unravel_index(undecided, codes.shape)
    step = max(1, 2**20 // max(1, k))
    for start in range(0, undecided.size, step):
        some = rows[start : start + step], columns[start : start + step]
        exact = limbs.product(a[some[0], None], w.T[some[1], :, None], left, right, odd=True)
        codes[some] = encode(exact[:, 0, 0])
    return codes, undecided.size


def matmul(a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the exact product of two integer matrices.

    Parameters
    ----------
    a, b : integers of any width, shapes [M, K] and [K, N] (leading axes broadcast as in `numpy.matmul`).

    Returns
    -------
    int64 [M, N].

    Raises
    ------
    InputError : if the sums could exceed 2^53, where float64 stops being exact.
    """
    bound = a.shape[-1] * _magnitude(a) * _magnitude(b)
    for dtype in (np.float32, np.float64):
        if Range(0, bound).exact_in(dtype):
            return (a.astype(dtype) @ b.astype(dtype)).astype(np.int64)
    raise InputError(f"K = {a.shape[-1]}: sums could reach {bound}, the exact product takes at most 2^53 = {2**53}")


def _magnitude(values: NDArray[np.integer]) -> int:
    """Return the largest absolute value, as a Python integer because -(-128) does not fit int8."""
    return max(-int(values.min(initial=0)), int(values.max(initial=0)))
