"""MixPE as a circuit (arXiv 2411.16158): shift-and-add cells, scale and zero point after the group.

The paper adds shifted activations, one for each weight bit. Ours recodes the bits to radix-4 digits (Booth), which
halves the terms. The arithmetic is `dyad.models.pe.mixpe`.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Value

from ...models.pe import PE
from . import integer
from .stations import Stations


def stations(pe: PE) -> Stations:
    """Return the constructors of the three stations for a description."""
    return integer.stations(pe, terms)


def terms(a: Value, weight: Value, is_signed: Value) -> list[Value]:
    """Return numbers that sum to `a * weight`: a radix-4 Booth digit of -2..2 for each two bits of the weight.

    a : signed. weight : 4 bits, read as signed if `is_signed`, else as unsigned, which needs a third digit, 0 or 1.
    """
    products = [Mux(weight[3] & ~is_signed, a << 4, 0)]
    below: Value | int = 0
    for low, high in ((0, 1), (2, 3)):
        one = weight[low] ^ below
        two = Mux(weight[high], ~(weight[low] | below), weight[low] & below)
        multiple = Mux(one, a, Mux(two, a << 1, 0))
        products.append((multiple ^ weight[high].as_signed()) << low)
        below = weight[high]
    # A negative multiple is its complement plus 1; the ones of both digits make one more term.
    return [*products, Cat(weight[1], 0, weight[3])]
