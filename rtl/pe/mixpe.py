"""MixPE as a circuit (arXiv 2411.16158): shift-and-add cells, scale and zero point after the group.

The paper adds shifted activations, one for each weight bit. Ours takes two bits at a time as a digit less 2: -2, -1, 0
or 1, which is a selection and a complement, and none of the digits depends on another. The nibble u so counts as
(u1 u0 - 2) + 4 (u3 u2 - 2) = u - 10, and the finish station takes the 10 back together with the zero point. Sign or
none then makes no difference to a cell. The arithmetic is `dyad.models.pe.mixpe`.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Value

from ...models.pe import MixPE
from . import integer
from .stations import Stations


def stations(pe: MixPE) -> Stations:
    """Return the constructors of the stations for a description."""
    return integer.stations(pe, terms)


def terms(a: Value, weight: Value, mode: Value) -> list[Value]:
    """Return numbers that sum to `a * (weight - 10)`, for a signed activation and 4 bits of a weight."""
    products: list[Value] = []
    complemented = []
    for position in (0, 2):
        low, high = weight[position], weight[position + 1]
        # 0 and 1 stand for -2 and -1: the complement of twice or once the activation, plus 1.
        multiple = Mux(low, a, Mux(high, 0, a << 1))
        products.append((multiple ^ (~high).as_signed()) << position)
        complemented.append(~high)
    return [*products, Cat(complemented[0], 0, complemented[1])]
