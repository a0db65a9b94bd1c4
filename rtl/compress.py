"""Sums of many numbers at once: a tree of full adders, column by column, with one carry chain at its end.

A product of 13 x 13 bits takes 6167 um2 with the registers around it, and 6868 um2 with `*` (Yosys 0.70 + ABC,
sky130_fd_sc_hd, target 4 ns); of 6 x 6 bits 1499 and 1549 um2.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from itertools import count, pairwise

from amaranth.hdl import Cat, Const, Module, Signal, Value

XOR, CARRY = 2, 1
"""Delays of a full adder's outputs, in gates, by which the tree is balanced."""


def total(m: Module, terms: Iterable[tuple[Value, int]], width: int) -> Value:
    """Return the sum of `term << places` for all terms and places, modulo 2^width; terms count as unsigned."""
    one, other = pair(m, terms, width)
    return (one + other)[:width]


def pair(m: Module, terms: Iterable[tuple[Value, int]], width: int) -> tuple[Value, Value]:
    """Return two numbers of `width` bits that `total` is the sum of.

    In each column the bits that arrive first are added first (Oklobdzija, Villeger and Liu, IEEE Transactions on
    Computers 45 (3), 1996) until two are left.
    """
    order = count()
    columns: list[list[tuple[int, int, Value]]] = [[] for _ in range(width + 1)]
    for value, places in terms:
        term = Signal(len(value), name="term")
        m.d.comb += term.eq(value)
        for bit in range(min(len(term), width - places)):
            columns[places + bit].append((0, next(order), term[bit]))
    rows: list[list[Value]] = [[], []]
    for low, high in pairwise(columns):
        heapify(low)
        while len(low) > 2:
            (_, _, a), (_, _, b), (late, _, c) = heappop(low), heappop(low), heappop(low)
            half, one, carry = Signal(name="half"), Signal(name="one"), Signal(name="carry")
            m.d.comb += [half.eq(a ^ b), one.eq(half ^ c), carry.eq((a & b) | (half & c))]
            heappush(low, (late + XOR, next(order), one))
            heappush(high, (late + CARRY, next(order), carry))
        left = [bit for _, _, bit in low]
        for row, bit in zip(rows, [*left, Const(0, 1), Const(0, 1)], strict=False):
            row.append(bit)
    return Cat(*rows[0]), Cat(*rows[1])
