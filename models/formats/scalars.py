"""Scalar formats by name: those that have a name of their own, and the families whose names say what they are.

A new format is a line in `NAMED`, or from outside ``formats.add(Format("mine", 6, "float", True, 3, bias=5))``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from ..errors import InputError, unknown
from .format import Format

NAMED = {
    format.name: format
    for format in (
        # Weights of one bit (XNOR-Net, arXiv 1603.05279) and of one trit (BitNet b1.58, arXiv 2402.17764).
        Format("binary", 1, "odd", True),
        Format("ternary", 2, "integer", True, specials="fnuz"),
        # Block scales: OCP Microscaling v1.0 section 5.4.1; two 8-bit formats without sign.
        Format("e8m0", 8, "float", False, 8, bias=127, specials="fn", subnormals=False),
        # Other definitions of ue5m3 differ in their NaN or have infinity; this one is all numbers but for 0xFF.
        Format("ue5m3", 8, "float", False, 5, bias=15, specials="fn"),
        # The scale of HiF4 (arXiv 2602.11287), there called E6M2.
        Format("ue6m2", 8, "float", False, 6, bias=48, specials="fn", subnormals=False),
        # arXiv 2409.16626; its ties go away from zero.
        Format("hif8", 8, "hif8", True, specials="uz", rounding="nearest-away"),
    )
}
ALIASES = {"fp16": "e5m10", "bf16": "e8m7", "tf32": "e8m10", "fp32": "e8m23"}
OCP = {"e2m1": "finite", "e2m3": "finite", "e3m2": "finite", "e4m3": "fn"}
SUFFIXES = {"finite": "none", "fn": "fn", "fnuz": "fnuz", "uz": "uz", "ieee": "ieee"}


def names() -> list[str]:
    """Return the names of scalar formats worth listing; `scalar` takes more."""
    integers = [f"{kind}{bits}" for kind in ("int", "uint") for bits in range(1, 17)]
    floats = [*OCP, "e5m2", "e3m4", "e4m3ieee", "e4m3fnuz", "e4m3b11fnuz", "e5m2fnuz", *ALIASES]
    posits = [f"posit({bits},{exponent_bits})" for bits, exponent_bits in ((4, 1), (8, 0), (8, 2), (16, 1), (32, 2))]
    return [*integers, *floats, *posits, *NAMED]


def add(format: Format) -> Format:
    """Make `format` known to `scalar` under its name, for the rest of the process, and return it.

    Raises
    ------
    InputError : if the name is taken by another format, or if its width or encoding cannot be.
    """
    try:
        known = scalar(format.name)
    except InputError:
        known = NAMED.setdefault(format.name, format.checked())
    if known != format:
        raise InputError(f"the name {format.name} is taken by {known}")
    return format


@cache
def scalar(name: str) -> Format:
    """Return the scalar format called `name`.

    Raises
    ------
    InputError : if there is none, with near misses; or if its numbers are out of range.
    """
    if name in NAMED:
        return NAMED[name]
    for pattern, make in FAMILIES:
        if match := re.fullmatch(pattern, ALIASES.get(name, name)):
            return make(name, *match.groups()).checked()
    raise unknown("format", name, names())


def _integer(name: str, unsigned: str, bits: str, fraction_bits: str | None) -> Format:
    if not 1 <= int(bits) <= 16:
        raise InputError(f"{name} has {bits} bits; integer formats have 1 to 16")
    return Format(name, int(bits), "integer", not unsigned, bias=int(fraction_bits or 0))


def _odd(name: str, bits: str) -> Format:
    if not 1 <= int(bits) <= 16:
        raise InputError(f"{name} has {bits} bits; formats of odd integers have 1 to 16")
    return Format(name, int(bits), "odd", True)


def _posit(name: str, n: str, es: str) -> Format:
    bits, exponent_bits = int(n), int(es)
    if not 2 <= bits <= 32:
        raise InputError(f"{name} has {bits} bits; posits have 2 to 32")
    if exponent_bits > 9 or (bits - 2) << exponent_bits > 1022:
        raise InputError(f"{name} needs values up to 2^({bits - 2} 2^{es}), beyond float64; use fewer exponent bits")
    return Format(f"posit({bits},{exponent_bits})", bits, "posit", True, exponent_bits, specials="nar")


def _p3109(name: str, bits: str, precision: str) -> Format:
    width, exponent_bits = int(bits), int(bits) - int(precision)
    if not 1 <= exponent_bits <= 8 or int(precision) < 1:
        raise InputError(f"{name} has {exponent_bits} exponent bits of {width}; floats have 1 to 8 of at most 32")
    return Format(name, width, "float", True, exponent_bits, 1 << (exponent_bits - 1), "uz")


def _float(
    name: str, unsigned: str, shape: str, exponent: str, mantissa: str, bias: str | None, suffix: str | None
) -> Format:
    exponent_bits, mantissa_bits = int(exponent), int(mantissa)
    bits = exponent_bits + mantissa_bits + (not unsigned)
    specials = SUFFIXES[suffix or OCP.get(shape, "ieee")]
    if not 1 <= exponent_bits <= 8 or bits > 32:
        raise InputError(f"{name} has {exponent_bits} exponent bits of {bits}; floats have 1 to 8 of at most 32")
    if specials == "ieee" and (mantissa_bits == 0 or unsigned):
        raise InputError(f"{name} has no room for infinity and NaN on both sides; write {name}fn or {name}finite")
    if specials in ("fnuz", "uz") and unsigned:
        raise InputError(f"{name} has no minus zero whose code could be NaN; write fn instead of {suffix}")
    if bias is not None and int(bias) > 1000:
        raise InputError(f"{name} has a bias of {bias}; beyond 1000 its values would leave float64")
    # Where -0 is NaN the exponents are shifted by one so that they stay centred on 1.
    usual = (1 << (exponent_bits - 1)) - (specials not in ("fnuz", "uz"))
    return Format(name, bits, "float", not unsigned, exponent_bits, usual if bias is None else int(bias), specials)


FAMILIES: list[tuple[str, Callable[..., Format]]] = [
    (r"(u?)int(\d+)(?:f(\d+))?", _integer),
    (r"odd(\d+)", _odd),
    (r"posit\((\d+), ?(\d+)\)", _posit),
    (r"binary(\d+)p(\d+)", _p3109),
    (r"(u?)(e(\d+)m(\d+))(?:b(\d+))?(finite|fnuz|fn|uz|ieee)?", _float),
]
"""Pattern of the names of a family, and what makes a format of a name and the groups of the pattern."""
