"""Circuits of processing elements by description: what is built once a row, once a cell and once a result column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...models.pe import PE
from . import bitserial, blocks, dequant_mac, int_mac, lmul, lut, mixpe, ternary, xr_npe
from .stations import STEP, Stations

__all__ = ["STEP", "Stations", "stations"]

_BY_NAME: dict[str, Callable[[Any], Stations]] = {
    "mixpe": mixpe.stations,
    "lut": lut.stations,
    "int_mac": int_mac.stations,
    "ternary": ternary.stations,
    "bitserial": bitserial.stations,
    "xr_npe": xr_npe.stations,
    "mx": blocks.stations,
    "bfp": blocks.stations,
    "dequant_mac": dequant_mac.stations,
    "lmul": lmul.stations,
}


def stations(pe: PE) -> Stations:
    """Return the constructors of the three stations of a processing element."""
    return _BY_NAME[pe.name](pe)
