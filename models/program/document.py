"""The documentation of the instruction set, made from its definition: ``python -m dyad.models.program.document``."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc

from . import assembly, isa
from .isa import FIELDS, HEADER, INSTRUCTION_BYTES, KINDS, UNITS


def document() -> str:
    """Return the instruction set as Markdown: what each instruction does, and where its fields are."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    title, _, text = (isa.__doc__ or "").partition("\n")
    yield "# " + title.rstrip(".")
    yield ""
    yield "This page is made from `isa.py` and `assembly.py`; `python -m dyad.models.program.document` prints it."
    yield ""
    yield text.strip()
    yield ""
    yield cleandoc(assembly.__doc__ or "")
    yield ""
    yield "Every instruction starts with"
    yield ""
    yield from _table(HEADER)
    for opcode, kind in enumerate(KINDS):
        yield ""
        yield f"## {UNITS[opcode]} (opcode {opcode})"
        yield ""
        yield cleandoc(kind.__doc__ or "")
        yield ""
        yield from _table(FIELDS[kind], start=sum(HEADER.values()))


def _table(fields: dict[str, int], start: int = 0) -> Iterator[str]:
    yield "| bits | field |"
    yield "|---|---|"
    for name, bits in fields.items():
        yield f"| {start + bits - 1}..{start} | `{name}` |" if bits > 1 else f"| {start} | `{name}` |"
        start += bits
    if start < 8 * INSTRUCTION_BYTES and fields is not HEADER:
        yield f"| {8 * INSTRUCTION_BYTES - 1}..{start} | 0 |"


if __name__ == "__main__":
    print(document())
