"""The integer multiply-accumulate cell as a circuit. Its arithmetic is `dyad.models.pe.int_mac`."""

from __future__ import annotations

from amaranth.hdl import Cat, Value

from ...models.pe import PE
from . import integer
from .stations import Stations


def stations(pe: PE) -> Stations:
    """Return the constructors of the three stations for a description."""
    return integer.stations(pe, terms)


def terms(a: Value, weight: Value, is_signed: Value) -> list[Value]:
    """Return `a * weight`, one bit wider so that one multiplier serves signed and unsigned weights."""
    return [a * Cat(weight, weight[-1] & is_signed).as_signed()]
