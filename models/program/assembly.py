"""The text form of programs: one instruction a line, fields that are zero left out, `#` starts a comment.

For instance ``load.activation rows=4 length=64 address=0x40 wait=multiply signal=multiply``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import InputError, unknown
from .isa import BUFFERS, KINDS, UNITS, Instruction, Load, mask, unit, units


def assemble(program: Iterable[Instruction]) -> str:
    """Return the text form of `program`, a line for each instruction."""
    return "".join(_line(instruction) + "\n" for instruction in program)


def _line(instruction: Instruction) -> str:
    words = [UNITS[unit(instruction)]]
    if isinstance(instruction, Load):
        words[0] += f".{BUFFERS[instruction.buffer]}"
    for field, value in instruction._asdict().items():
        if value and field in ("wait", "signal"):
            words.append(f"{field}={'+'.join(UNITS[index] for index in units(value))}")
        elif value and field == "address":
            words.append(f"address={value:#x}")
        elif value and field != "buffer":
            words.append(f"{field}={value}")
    return " ".join(words)


def parse(text: str) -> Iterator[Instruction]:
    """Yield the instructions of a program in text form.

    Raises
    ------
    InputError : naming the line and what is wrong with it.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            yield _parse(words)
        except ValueError as error:
            raise InputError(f"line {number}: {error}") from None


def _parse(words: list[str]) -> Instruction:
    name, _, buffer = words[0].partition(".")
    if name not in UNITS or (buffer and name != "load"):
        raise unknown("instruction", words[0], UNITS)
    kind = KINDS[UNITS.index(name)]
    values = dict.fromkeys(kind._fields, 0)
    if kind is Load:
        if buffer not in BUFFERS:
            raise unknown("scratchpad", buffer, BUFFERS)
        values["buffer"] = BUFFERS.index(buffer)
    for word in words[1:]:
        field, _, value = word.partition("=")
        if field not in values or field == "buffer":
            raise unknown(f"field of {name}", field, [known for known in kind._fields if known != "buffer"])
        if field in ("wait", "signal"):
            for one in value.split("+"):
                if one not in UNITS:
                    raise unknown("unit", one, UNITS)
            values[field] = mask(*value.split("+"))
        else:
            values[field] = int(value, 0)
            if values[field] < 0:
                raise InputError(f"{field} = {values[field]} is negative")
    return kind(**values)
