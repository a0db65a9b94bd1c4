"""Operands of matrix products, and the products the naive way."""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def draw(random, format, shape):
    """Return finite codes, half of them of the greatest and the least magnitudes."""
    values = format.values()
    finite = np.flatnonzero(np.isfinite(values))
    order = finite[np.argsort(np.abs(values[finite]), kind="stable")]
    extremes = np.concatenate([order[:4], order[-4:]])
    return np.where(random.random(shape) < 0.5, random.choice(finite, shape), random.choice(extremes, shape))


def cancelling(random, left, right, k):
    """Return codes of a row and a column whose products cancel but for one, and that one is tiny."""
    half = (k - 1) // 2
    a, w = draw(random, left, half), draw(random, right, half)
    opposite = left.encode(-left.decode(a))
    keep = left.decode(opposite) == -left.decode(a)
    a, opposite = np.where(keep, a, 0), np.where(keep, opposite, 0)
    positive = [np.where(format.values() > 0, format.values(), np.inf).argmin() for format in (left, right)]
    order = random.permutation(2 * half + 1)
    row = np.concatenate([a, opposite, [positive[0]]])[order]
    column = np.concatenate([w, w, [positive[1]]])[order]
    return row[None], column[:, None]


def naive(a, w):
    """Return the exact product of float64 matrices as fractions."""
    rows, columns = [[list(map(Fraction, vector)) for vector in matrix.tolist()] for matrix in (a, w.T)]
    return [[sum(map(Fraction.__mul__, row, column), Fraction()) for column in columns] for row in rows]


def in_order(order, terms, add):
    if order == "sequential":
        total = terms[0]
        for term in terms[1:]:
            total = add(total, term)
        return total
    while len(terms) > 1:
        pairs = [add(terms[i], terms[i + 1]) for i in range(0, len(terms) - 1, 2)]
        terms = pairs + terms[2 * len(pairs) :]
    return terms[0]
