"""What codes stand for, as circuits: a table of all of them, made from the formats."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module, Signal, Value, signed

from dyad.models.formats import scalar


def integer_of(m: Module, code: Value, name: str) -> Signal:
    """Return the number that a code stands for, in units of the least positive; 0 for what is not finite."""
    values = scalar(name).values()
    finite = np.isfinite(values)
    least = values[finite & (values > 0)].min()
    integers = [int(value / least) for value in np.where(finite, values, 0)]
    number = Signal(signed(max(abs(integer) for integer in integers).bit_length() + 1), name=f"value_of_{name}")
    with m.Switch(code):
        for index, integer in enumerate(integers):
            with m.Case(index):
                m.d.comb += number.eq(integer)
    return number
