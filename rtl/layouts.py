"""Shapes that several circuits share: instructions as they travel, and the memory port."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, Signature

from ..models.program.isa import FIELDS, HEADER, Instruction

HEADER_LAYOUT = data.StructLayout(dict(HEADER))


def instruction_layout(kind: type[Instruction], widths: Mapping[str, int] | None = None) -> data.StructLayout:
    """Return the layout of an instruction, from its least significant bit; see `models.program.isa`.

    widths : bits of its own fields, if they are fewer than in an instruction's binary form.
    """
    return data.StructLayout(HEADER | dict(widths or FIELDS[kind]))


class UnitSignature(Signature):
    """How a unit is told what to do, as the unit sees it.

    Members
    -------
    start : in; for one cycle, in which the unit must be idle. It works from the next cycle on.
    command : in; the instruction, stable from `start` to `done`, its fields cut down to `widths`.
    done : out; for one cycle, the last in which the unit works. It is idle again in the next.
    """

    def __init__(self, kind: type[Instruction], widths: Mapping[str, int] | None = None) -> None:
        super().__init__({"start": In(1), "command": In(instruction_layout(kind, widths)), "done": Out(1)})


REQUEST = data.StructLayout({"address": 40, "beats": 24, "write": 1})
"""A burst: the address of its first byte (any), its number of beats (at least one), and whether it is written."""


class MemorySignature(Signature):
    """The memory port, as the engine sees it. Bursts are served in the order of their requests.

    Members
    -------
    request : out, stream of `REQUEST`.
    read : in; `valid` for one cycle for every beat of a read. The engine always takes it.
    write : out, stream of the beats of writes: `data`, and `mask` with a bit for each byte that is to be written.
        Beats may be offered before their request is accepted.

    The memory decides when; see `models.accelerator.Memory` for the timing that dyad's simulators agree on. Payloads
    keep their value from the cycle in which `valid` rises to the one in which they are taken.
    """

    def __init__(self, beat: int) -> None:
        super().__init__(
            {
                "request": Out(stream.Signature(REQUEST)),
                "read": In(Signature({"valid": Out(1), "data": Out(8 * beat)})),
                "write": Out(stream.Signature(data.StructLayout({"data": 8 * beat, "mask": beat}))),
            }
        )
