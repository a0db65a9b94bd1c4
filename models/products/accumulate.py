"""Accumulators that round, wrap or saturate at every addition, and the orders in which they add.

A term is one [M, N] array of a sum over K; terms are summed in a stated order, because rounded addition is not
associative. Each term is first brought into the accumulator, which may round it, and so may each addition.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, unknown
from ..formats import Format, scalar
from . import limbs
from .ranges import Float

Add = Callable[[NDArray, NDArray], NDArray]

OVERFLOWS = ("wrap", "saturate")
"""What integer accumulators do beyond their range, the usual first."""


@dataclass(frozen=True)
class Accumulator:
    """How terms are summed.

    Parameters
    ----------
    load : from exact float64 terms, or such rounded to odd, to what is added.
    add : one addition.
    value : from what was added to float64, exactly.
    """

    load: Callable[[Float], NDArray]
    add: Add
    value: Callable[[NDArray], Float]

    def total(self, terms: Iterable[Float], order: str) -> Float:
        """Return the sum of `terms`, at least one, in the given order, as float64."""
        return self.value(ORDERS[order](map(self.load, terms), self.add))


def sequential(terms: Iterable[NDArray], add: Add) -> NDArray:
    """Return (((t_0 + t_1) + t_2) + t_3) + ..., as one adder does."""
    return reduce(add, terms)


def pairwise(terms: Iterable[NDArray], add: Add) -> NDArray:
    """Return ((t_0 + t_1) + (t_2 + t_3)) + ..., as a tree of adders of neighbours; an odd one out passes a level."""
    partial: list[NDArray] = []
    for count, term in enumerate(terms, 1):
        partial.append(term)
        while count % 2 == 0:
            last = partial.pop()
            partial[-1] = add(partial[-1], last)
            count //= 2
    return reduce(lambda right, left: add(left, right), reversed(partial))


ORDERS: dict[str, Callable[[Iterable[NDArray], Add], NDArray]] = {"sequential": sequential, "pairwise": pairwise}
"""The orders of addition."""


def fixed_bits(name: str) -> int | None:
    """Return the width of an integer accumulator called `name`, such as ``"int24"``; None if it is none.

    Raises
    ------
    InputError : if float64 would not hold its values.
    """
    match = re.fullmatch(r"int(\d+)", name)
    if match is None:
        return None
    bits = int(match[1])
    if not 2 <= bits <= limbs.PRECISION:
        raise InputError(f"accumulator {name} has {bits} bits; integer accumulators have 2 to {limbs.PRECISION}")
    return bits


def fixed(bits: int, exponent: int, overflow: str | None) -> Accumulator:
    """Return an accumulator of signed integers of `bits` bits that count units of 2^exponent.

    Parameters
    ----------
    overflow : ``"wrap"`` (also None) or ``"saturate"``, at every addition. Terms must be below 2^62 units.

    Raises
    ------
    InputError : on any other overflow; from the accumulator, on a term that is NaN or infinite.
    """
    overflow = overflow or OVERFLOWS[0]
    if overflow not in OVERFLOWS:
        raise unknown("overflow of an integer accumulator", overflow, OVERFLOWS)
    half = 1 << (bits - 1)

    def limit(total: NDArray[np.int64]) -> NDArray[np.int64]:
        return (total + half & 2 * half - 1) - half if overflow == "wrap" else np.clip(total, -half, half - 1)

    def load(term: Float) -> NDArray[np.int64]:
        if not np.isfinite(term).all():
            raise InputError(f"an int{bits} accumulator cannot hold {term[~np.isfinite(term)][0]}")
        return limit(np.ldexp(term, -exponent).astype(np.int64))

    return Accumulator(
        load,
        lambda x, y: limit(x + y),
        lambda total: np.ldexp(total.astype(np.float64), exponent),
    )


NATIVE = {"fp32": np.float32, "fp16": np.float16}
"""Formats in which NumPy adds; float16 by way of float32, whose 24 bits, no less than 2 * 11 + 2, make that harmless
(Figueroa, When is double rounding innocuous?, SIGNUM 1995)."""


def floating(name: str, overflow: str | None) -> Accumulator:
    """Return an accumulator of a scalar format, which rounds to nearest in the format's way.

    Parameters
    ----------
    overflow : as in `Format.encode`; None is infinity if the format has it, else saturation.

    Raises
    ------
    InputError : if the format is unknown, or has no such overflow.
    """
    format = scalar(name)
    if name in NATIVE and overflow in (None, "infinity"):
        native = NATIVE[name]
        return Accumulator(_quietly(lambda term: term.astype(native)), _quietly(np.add), lambda x: x.astype(np.float64))
    encode = encoder(format, overflow)

    def near(x: Float) -> Float:
        return format.decode(encode(x))

    return Accumulator(near, lambda x, y: near(limbs.add_to_odd(x, y)), lambda x: x)


def encoder(format: Format, overflow: str | None = None) -> Callable[[Float], NDArray[np.unsignedinteger]]:
    """Return what rounds float64 to codes of a format; `overflow` as in `floating`."""
    chosen = overflow or ("saturate" if format.infinity is None else "infinity")
    return lambda x: format.encode(x, overflow=chosen)


def _quietly(function: Callable[..., NDArray]) -> Callable[..., NDArray]:
    def quiet(*arguments: NDArray) -> NDArray:
        with np.errstate(over="ignore", invalid="ignore"):
            return function(*arguments)

    return quiet
