"""Shifts by lines, of which one is set, in place of a number of places: for numbers narrow beside what they shift by.

Four lines, then one for each multiple of four, are smaller than a line for each place, and faster than a multiplexer
for each bit of the number of places.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Value

NEAR = 4
"""Places that the first of two shifts chooses among."""


def by_lines(number: Value, lines: Value, places: int) -> Value:
    """Return a number shifted left by `places` times the index of the line that is set, 0 if none is.

    A single line counts as set.
    """
    if len(lines) == 1:
        return number
    return reduce(or_, ((number & line.replicate(len(number))) << places * index for index, line in enumerate(lines)))
