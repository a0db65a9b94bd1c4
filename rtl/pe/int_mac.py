"""The integer multiply-accumulate cell as a circuit. Its arithmetic is `dyad.models.pe.int_mac`."""

from __future__ import annotations

from amaranth.hdl import Cat, Value

from ...models.pe import IntMac
from . import integer
from .stations import Stations
from .sums import Term


def stations(pe: IntMac) -> Stations:
    """Return the constructors of the stations for a description."""

    def terms(a: Value, weight: Value, mode: Value) -> list[Term]:
        """Return `a * weight`, from a multiplier one bit wider so that it serves signed and unsigned weights."""
        product = a * Cat(weight, weight[-1] & integer.is_signed(pe, mode)).as_signed()
        return [Term(product[: len(a) + len(weight)])]

    return integer.stations(pe, integer.lanewise(pe, terms))
