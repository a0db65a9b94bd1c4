"""Number formats, found by name.

Scalar formats: ``int1`` to ``int16`` (two's complement, so int1 is {-1, 0}), ``uint1`` to ``uint16``, ``fp16``,
``bf16``, ``fp32`` and every ``eXmY`` of at most 32 bits. The bare names e2m1, e2m3, e3m2, e4m3 and e5m2 are the formats
of OCP Microscaling v1.0; any other ``eXmY`` is IEEE-like. A suffix says otherwise: ``fn``, ``fnuz``, ``finite`` or
``ieee`` (see `Format.specials`), after ``b`` and a bias if it is not the usual one, as in ``e4m3b11fnuz``. A leading
``u`` makes it unsigned.

Block formats: ``ELEMENT_gSIZE``, ``ELEMENT_channel`` and ``ELEMENT_tensor``, such as ``int4_g128``, with the further
suffix ``_z`` if there are zero points. Scales of groups are fp16, those of channels and tensors fp32.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

from ..errors import InputError, unknown
from .block import BlockFormat
from .format import Format

__all__ = ["BlockFormat", "Format", "grouped", "names", "parse", "per_tensor", "scalar"]

_ALIASES = {"fp16": "e5m10", "bf16": "e8m7", "fp32": "e8m23"}
_OCP = {"e2m1": "finite", "e2m3": "finite", "e3m2": "finite", "e4m3": "fn"}
_SPECIALS = {"finite": "none", "fn": "fn", "fnuz": "fnuz", "ieee": "ieee"}


def names() -> list[str]:
    """Return the names worth listing; `parse` takes more."""
    integers = [f"{kind}{bits}" for kind in ("int", "uint") for bits in range(1, 17)]
    blocks = ["int4_g128", "uint4_g128_z", "int4_channel", "uint4_channel_z", "int8_channel", "int8_tensor"]
    return [*integers, *_OCP, "e5m2", "e4m3fnuz", "e5m2fnuz", *_ALIASES, *blocks]


def parse(name: str) -> Format | BlockFormat:
    """Return the format called `name`.

    Raises
    ------
    InputError : if there is none, with near misses; or if its numbers are out of range.
    """
    element, underscore, blocks = name.partition("_")
    if not underscore:
        return scalar(name)
    match = re.fullmatch(r"(?:g(\d+)|(channel)|(tensor))(_z)?", blocks)
    if not match:
        raise unknown("format", name, names())
    size, channel, tensor, zero_point = match.groups()
    if tensor:
        return per_tensor(element, bool(zero_point))
    return grouped(element, None if channel else int(size), bool(zero_point))


def grouped(element: str, group: int | None = None, zero_point: bool = False) -> BlockFormat:
    """Return the block format of integers of which every `group` share a scale (``None``: a whole channel).

    Raises
    ------
    InputError : if the element format is unknown or not an integer format, or if the group is empty.
    """
    format = scalar(element)
    if format.encoding != "integer":
        raise InputError(f"elements of a quantization group must be integers, not {element}")
    if group is not None and group < 1:
        raise InputError(f"group size {group} of {element} must be at least 1")
    suffix = ("channel" if group is None else f"g{group}") + ("_z" if zero_point else "")
    return BlockFormat(f"{element}_{suffix}", format, scalar("fp32" if group is None else "fp16"), group, zero_point)


def per_tensor(element: str, zero_point: bool = False) -> BlockFormat:
    """Return the block format of integers of which a whole tensor shares one scale; raises as `grouped` does."""
    name = f"{element}_tensor" + ("_z" if zero_point else "")
    return replace(grouped(element, None, zero_point), name=name, per_tensor=True)


@cache
def scalar(name: str) -> Format:
    """Return the scalar format called `name`; raises as `parse` does."""
    if match := re.fullmatch(r"(u?)int(\d+)", name):
        bits = int(match[2])
        if not 1 <= bits <= 16:
            raise InputError(f"{name} has {bits} bits; integer formats have 1 to 16")
        return Format(name, bits, "integer", signed=not match[1])
    match = re.fullmatch(r"(u?)(e(\d+)m(\d+))(?:b(\d+))?(finite|fn|fnuz|ieee)?", _ALIASES.get(name, name))
    if not match:
        raise unknown("format", name, names())
    unsigned, shape, exponent_bits, mantissa_bits, bias, suffix = match.groups()
    return _float(name, not unsigned, int(exponent_bits), int(mantissa_bits), bias, suffix or _OCP.get(shape, "ieee"))


def _float(name: str, signed: bool, exponent_bits: int, mantissa_bits: int, bias: str | None, suffix: str) -> Format:
    bits = signed + exponent_bits + mantissa_bits
    if not 1 <= exponent_bits <= 8 or bits > 32:
        raise InputError(f"{name} has {exponent_bits} exponent bits of {bits}; floats have 1 to 8 of at most 32")
    if suffix == "ieee" and (mantissa_bits == 0 or not signed):
        raise InputError(f"{name} has no room for infinity and NaN on both sides; write {name}fn or {name}finite")
    if suffix == "fnuz" and not signed:
        raise InputError(f"{name} has no minus zero whose code could be NaN; write fn instead of fnuz")
    # Without infinities the exponents of fnuz formats are shifted by one so that they stay centred on 1.
    usual = (1 << (exponent_bits - 1)) - (suffix != "fnuz")
    return Format(
        name,
        bits,
        "float",
        signed,
        exponent_bits,
        bias=usual if bias is None else int(bias),
        specials=_SPECIALS[suffix],
    )
