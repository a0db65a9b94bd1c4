"""Ternary weights as a circuit: add, subtract or skip. Its arithmetic is `dyad.models.pe.ternary`."""

from __future__ import annotations

from amaranth.hdl import Mux, Value

from ...models.pe import Ternary
from . import integer
from .stations import Stations
from .sums import Term


def stations(pe: Ternary) -> Stations:
    """Return the constructors of the stations for a description."""
    return integer.stations(pe, integer.lanewise(pe, terms))


def terms(a: Value, weight: Value, mode: Value) -> list[Term]:
    """Return the activation's multiple by a 2-bit weight in two's complement: 0, a, -2 a or -a."""
    multiple = Mux(weight[0], a, Mux(weight[1], a << 1, 0))[: len(a) + 1]
    return [Term(multiple ^ weight[1].replicate(len(multiple)), weight[1])]
