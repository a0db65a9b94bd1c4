"""Number formats, found by name.

Scalar formats (see `scalars`):

- ``int1`` to ``int16`` (two's complement, so int1 is {-1, 0}) and ``uint1`` to ``uint16``; ``int8f6`` has 6 fraction
  bits; ``ternary`` is {-1, 0, 1} and ``binary`` {-1, 1}, which is also ``odd1`` of ``odd1`` to ``odd16``.
- ``fp16``, ``bf16``, ``tf32``, ``fp32`` and every ``eXmY`` of at most 32 bits. The bare names e2m1, e2m3, e3m2, e4m3
  and e5m2 are the formats of OCP Microscaling v1.0; any other ``eXmY`` is IEEE-like. A suffix says otherwise: ``fn``,
  ``fnuz``, ``uz``, ``finite`` or ``ieee`` (see `Format.specials`), after ``b`` and a bias if it is not the usual one,
  as in ``e4m3b11fnuz``. A leading ``u`` makes it unsigned. ``binaryKpP`` are those of the IEEE P3109 draft.
- ``e8m0``, ``ue5m3`` and ``ue6m2``, the scales of blocks; ``hif8``.
- ``posit(n,es)`` of at most 32 bits.

Block formats (see `block_names`):

- ``mxfp4``, ``mxfp6_e2m3``, ``mxfp6_e3m2``, ``mxfp8_e4m3``, ``mxfp8_e5m2`` and ``mxint8`` of OCP Microscaling v1.0;
  ``nvfp4`` and ``nvint4``; ``hif4``.
- ``bfp(m,block)``, block floating point of a sign and m bits; ``dfp16``, dynamic fixed point.
- ``ELEMENT_gSIZE``, ``ELEMENT_channel`` and ``ELEMENT_tensor``, such as ``int4_g128``: integers in groups, with the
  further suffix ``_z`` if there are zero points. Scales of groups are fp16, those of channels and tensors fp32.
"""

from __future__ import annotations

from . import block_names, scalars
from .block import BlockFormat, Level
from .block_names import add_block, grouped, per_tensor, weights
from .format import Format
from .scalars import add, scalar

__all__ = [
    "BlockFormat",
    "Format",
    "Level",
    "add",
    "add_block",
    "grouped",
    "names",
    "parse",
    "per_tensor",
    "scalar",
    "weights",
]


def names() -> list[str]:
    """Return the names worth listing; `parse` takes more."""
    return [*scalars.names(), *block_names.names()]


def parse(name: str) -> Format | BlockFormat:
    """Return the format called `name`.

    Raises
    ------
    InputError : if there is none, with near misses; or if its numbers are out of range.
    """
    return block_names.find(name) or scalar(name)
