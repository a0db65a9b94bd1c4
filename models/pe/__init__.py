"""Processing elements by name: what they multiply and the exact arithmetic of each."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ..errors import unknown
from .bfp import Bfp
from .bitserial import BitSerial
from .dequant_mac import DequantMac
from .description import PE
from .int_mac import IntMac
from .lmul import Lmul
from .lut import Lut
from .mixpe import MixPE
from .mode import Mode
from .mx import Mx
from .ternary import Ternary
from .xr_npe import XrNpe

__all__ = [
    "PE",
    "Bfp",
    "BitSerial",
    "DequantMac",
    "IntMac",
    "Lmul",
    "Lut",
    "MixPE",
    "Mode",
    "Mx",
    "Ternary",
    "XrNpe",
    "get",
    "names",
    "variants",
]

_BY_NAME: dict[str, Any] = {
    description.name: description
    for description in (MixPE, Lut, IntMac, Ternary, BitSerial, XrNpe, Mx, Bfp, DequantMac, Lmul)
}


def names() -> tuple[str, ...]:
    """Return the names of all processing elements."""
    return tuple(_BY_NAME)


def variants(name: str) -> tuple[dict[str, Any], ...]:
    """Return the parameters of each variant of a processing element, those that are not sizes.

    Raises
    ------
    InputError : if the name is unknown.
    """
    if name not in _BY_NAME:
        raise unknown("processing element", name, names())
    return _BY_NAME[name].variants()


def in_words(parameters: dict[str, Any]) -> str:
    """Return what tells a variant of a processing element from the others."""
    return ", ".join(f"{name}={value}" for name, value in parameters.items())


def get(name: str, **parameters: Any) -> PE:
    """Return the processing element of this name.

    Parameters
    ----------
    name : one of `names()`.
    parameters : fields of its description, such as ``lanes=4``; the others keep their defaults.

    Raises
    ------
    InputError : if the name, or the name of a parameter, is unknown, or a value is out of range.
    """
    if name not in _BY_NAME:
        raise unknown("processing element", name, names())
    description = _BY_NAME[name]
    known = [field.name for field in fields(description)]
    for parameter in parameters:
        if parameter not in known:
            raise unknown(f"parameter of {name}", parameter, known)
    return description(**parameters)
