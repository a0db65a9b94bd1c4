"""The instruction set: text and binary forms give back what was put in, and bad input is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.models.errors import InputError
from dyad.models.program import document as document_module
from dyad.models.program.assembly import assemble, parse
from dyad.models.program.isa import (
    BUFFERS,
    FIELDS,
    HEADER,
    INSTRUCTION_BYTES,
    KINDS,
    Finish,
    Instruction,
    Load,
    Multiply,
    Store,
    decode,
    encode,
    mask,
    units,
)

CAPS = {"buffer": len(BUFFERS) - 1}


@st.composite
def instructions(draw: st.DrawFn) -> Instruction:
    kind = draw(st.sampled_from(KINDS))
    bits = {name: bits for name, bits in (HEADER | FIELDS[kind]).items() if name != "opcode"}
    return kind(**{name: draw(st.integers(0, CAPS.get(name, (1 << width) - 1))) for name, width in bits.items()})


@given(instructions())
def test_the_binary_form_gives_back_the_instruction(instruction: Instruction) -> None:
    data = encode(instruction)
    assert len(data) == INSTRUCTION_BYTES
    assert decode(data) == instruction


@given(st.lists(instructions(), max_size=5))
def test_the_text_form_gives_back_the_program(program: list[Instruction]) -> None:
    assert list(parse(assemble(program))) == program


def test_every_instruction_fits_its_word() -> None:
    for kind in KINDS:
        assert sum((HEADER | FIELDS[kind]).values()) <= 8 * INSTRUCTION_BYTES
        assert set(kind._fields) == set(HEADER | FIELDS[kind]) - {"opcode"}


def test_the_text_form_reads_as_documented() -> None:
    load = Load(buffer=0, rows=4, length=64, address=0x40, wait=mask("multiply"), signal=mask("multiply", "finish"))
    line = "load.activation rows=4 length=64 address=0x40 wait=multiply signal=multiply+finish"
    assert assemble([load]) == line + "\n"
    assert list(parse(f"# a comment\n\n{line}  # another\n")) == [load]
    assert units(mask("load", "store")) == (0, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lod rows=1", "line 1: unknown instruction 'lod'; did you mean load?"),
        ("\nload.activations rows=1", "line 2: unknown scratchpad 'activations'; did you mean activation?"),
        ("store row=1", "line 1: unknown field of store 'row'; did you mean rows?"),
        ("store wait=finsh", "line 1: unknown unit 'finsh'; did you mean finish?"),
        ("multiply.weight rows=1", "line 1: unknown instruction 'multiply.weight'; did you mean multiply?"),
        ("store rows=-1", "line 1: rows = -1 is negative"),
        ("store rows=many", "line 1: invalid literal for int() with base 0: 'many'"),
    ],
)
def test_a_bad_line_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        list(parse(text))
    assert str(error.value) == message


def test_values_that_do_not_fit_are_named() -> None:
    with pytest.raises(InputError, match=r"store: rows = 65536 does not fit its 16 bits \(at most 65535\)"):
        encode(Store(rows=65536, length=1, address=0))
    with pytest.raises(InputError, match="an instruction has 32 bytes, not 3"):
        decode(b"abc")
    with pytest.raises(InputError, match="bits above 120 must be 0"):
        decode(encode(Finish(0, 1, 1, 0, 0, 0, 0))[:-1] + b"\1")
    with pytest.raises(InputError, match="load: buffer = 3 is none of activation, weight, parameter"):
        decode(encode(Load(3, 1, 1, 0)))
    assert decode(encode(Multiply(0, 1, 1, 1, 1, 1, 0, 0, 0, 0))) == Multiply(0, 1, 1, 1, 1, 1, 0, 0, 0, 0)


def test_the_documentation_is_that_of_the_definition() -> None:
    page = (Path(document_module.__file__).parent / "README.md").read_text(encoding="utf-8")
    assert page == document_module.document() + "\n"
    assert "| 92..53 | `address` |" in page
    code = encode(Load(0, 1, 1, address=1 << 39))
    assert int.from_bytes(code, "little") >> 92 & 1
