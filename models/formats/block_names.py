"""Block formats by name: those of a table, and the patterns ``bfp(m,block)``, ``dfpN`` and ``ELEMENT_gSIZE``."""

from __future__ import annotations

import re
from dataclasses import replace

from ..errors import InputError, unknown
from .block import BlockFormat, Level
from .format import Format
from .scalars import add, scalar

# An exponent of one bit: 1 or 2.
add(Format("ue1m0", 1, "float", signed=False, exponent_bits=1, subnormals=False))

TABLE: dict[str, tuple[str, str, tuple[tuple[str, int | str], ...]]] = {
    "mxfp4": ("shared-exponent", "e2m1", (("e8m0", 32),)),
    "mxfp6_e2m3": ("shared-exponent", "e2m3", (("e8m0", 32),)),
    "mxfp6_e3m2": ("shared-exponent", "e3m2", (("e8m0", 32),)),
    "mxfp8_e4m3": ("shared-exponent", "e4m3", (("e8m0", 32),)),
    "mxfp8_e5m2": ("shared-exponent", "e5m2", (("e8m0", 32),)),
    "mxint8": ("shared-exponent", "int8f6", (("e8m0", 32),)),
    "nvfp4": ("two-level", "e2m1", (("fp32", "tensor"), ("e4m3", 16))),
    "nvint4": ("two-level", "int4", (("fp32", "tensor"), ("e4m3", 16))),
    "hif4": ("one-bit-exponents", "e1m2b1finite", (("ue6m2", 64), ("ue1m0", 8), ("ue1m0", 4))),
}
"""Recipe, element format, and the levels of scales from coarse to fine.

MX are the formats of OCP Microscaling v1.0; nvint4 and hif4 are those of arXiv 2510.25602 and 2602.11287.
"""

ADDED: dict[str, BlockFormat] = {}
"""What `add_block` has added."""


def names() -> list[str]:
    """Return the names worth listing; `find` takes more."""
    groups = ["int4_g128", "uint4_g128_z", "int4_channel", "uint4_channel_z", "int8_channel", "int8_tensor"]
    return [*TABLE, *ADDED, "bfp(7,16)", "dfp16", *groups]


def add_block(format: BlockFormat) -> BlockFormat:
    """Make `format` known to `find` under its name, for the rest of the process, and return it.

    Raises
    ------
    InputError : if the name is taken by another format.
    """
    if format.name in TABLE or ADDED.setdefault(format.name, format) != format:
        raise InputError(f"the name {format.name} is taken by another format")
    return format


def find(name: str) -> BlockFormat | None:
    """Return the block format called `name`, None if no block format is called like that.

    Raises
    ------
    InputError : if the element format is unknown, a number in the name out of range, or the name a near miss.
    """
    if name in ADDED:
        return ADDED[name]
    if name in TABLE:
        recipe, element, levels = TABLE[name]
        return BlockFormat(name, scalar(element), tuple(Level(scalar(each), extent) for each, extent in levels), recipe)
    if match := re.fullmatch(r"bfp\((\d+),\s*(\d+)\)", name):
        return block_floating_point(int(match[1]), int(match[2]))
    if match := re.fullmatch(r"dfp(\d+)", name):
        return dynamic_fixed_point(int(match[1]))
    if match := re.fullmatch(r"([^_]+)_(?:g(\d+)|(channel)|(tensor))(_z)?", name):
        element, size, _, tensor, zero_point = match.groups()
        if tensor:
            return per_tensor(element, bool(zero_point))
        return grouped(element, int(size) if size else None, bool(zero_point))
    if re.match(r"mx|nv|bfp|dfp|.*_", name):
        # No scalar format is called like that.
        raise unknown("format", name, names())
    return None


def block_floating_point(magnitude_bits: int, block: int) -> BlockFormat:
    """Return ``bfp(m,block)``: a sign and m bits of magnitude each, and an exponent of 8 bits for the block.

    Raises
    ------
    InputError : if there are not 1 to 15 bits of magnitude, or if the block is empty.
    """
    name = f"bfp({magnitude_bits},{block})"
    if not 1 <= magnitude_bits <= 15:
        raise InputError(f"{name} has {magnitude_bits} bits of magnitude; block floating point has 1 to 15")
    if block < 1:
        raise InputError(f"{name} has blocks of {block}; they must hold at least 1")
    # With a single exponent bit a float is an integer with a sign bit; bias 1 puts its point behind the leading bit.
    element = scalar(f"e1m{magnitude_bits - 1}b1finite")
    return BlockFormat(name, element, (Level(scalar("e8m0"), block),), "shared-exponent")


def dynamic_fixed_point(bits: int) -> BlockFormat:
    """Return ``dfpN``: integers of N bits and a power of two for the whole tensor (arXiv 1802.00930).

    Raises
    ------
    InputError : if there are not 2 to 16 bits.
    """
    if not 2 <= bits <= 16:
        raise InputError(f"dfp{bits} has {bits} bits; dynamic fixed point has 2 to 16")
    element = scalar(f"int{bits}f{bits - 2}")
    return BlockFormat(f"dfp{bits}", element, (Level(scalar("e8m0"), "tensor"),), "shared-exponent")


def grouped(element: str, group: int | None = None, zero_point: bool = False) -> BlockFormat:
    """Return the block format of elements of which every `group` share a scale (``None``: a whole channel).

    Raises
    ------
    InputError : if the element format is unknown, or if the group is empty; if elements with groups or zero points are
        not integers.
    """
    format = scalar(element)
    integers = format.encoding == "integer"
    if not integers and (group is not None or zero_point):
        raise InputError(f"elements of a quantization group must be integers, not {element}")
    if group is not None and group < 1:
        raise InputError(f"group size {group} of {element} must be at least 1")
    suffix = ("channel" if group is None else f"g{group}") + ("_z" if zero_point else "")
    level = Level(scalar("fp32" if group is None else "fp16"), group or "channel")
    return BlockFormat(f"{element}_{suffix}", format, (level,), "integers" if integers else "scaled", zero_point)


def weights(name: str) -> BlockFormat:
    """Return the format called `name` if its elements have a scale for each group or channel.

    Raises
    ------
    InputError : if it is not, or does not exist.
    """
    format = find(name) or scalar(name)
    if not isinstance(format, BlockFormat) or format.recipe not in ("integers", "scaled") or format.per_tensor:
        raise InputError(f"weights cannot be {name}; they need a group or a channel, such as int4_g32 or int4_channel")
    return format


def per_tensor(element: str, zero_point: bool = False) -> BlockFormat:
    """Return the block format of elements of which a whole tensor shares one scale; raises as `grouped` does."""
    name = f"{element}_tensor" + ("_z" if zero_point else "")
    return replace(grouped(element, None, zero_point), name=name, levels=(Level(scalar("fp32"), "tensor"),))
