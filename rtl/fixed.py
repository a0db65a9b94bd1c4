"""Decoders of scalar formats to integers. Their arithmetic is `dyad.models.pe.fixed`."""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Value

from ..models.formats import scalar
from ..models.pe.fixed import fixed_point


def to_fixed(code: Value, name: str) -> Value:
    """Return the integer, signed and of `fixed_point(name).bits` bits, that a code of a scalar format stands for."""
    element, bits = scalar(name), fixed_point(name).bits
    if element.encoding == "integer":
        return code.as_signed() if element.signed else Cat(code, 0).as_signed()
    mantissa = element.mantissa_bits
    field = code[mantissa : mantissa + element.exponent_bits]
    normal = field.any()
    magnitude = (Cat(code[:mantissa], normal) << (field - normal)[: element.exponent_bits])[: bits - 1]
    return Mux(code[-1], -magnitude, magnitude)[:bits].as_signed()
