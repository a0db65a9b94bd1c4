"""The instruction set: four instructions, one for each unit of the engine, and their binary form.

`load` fills a scratchpad from memory, `multiply` runs a block of tiles and adds it to the accumulators, `finish` turns
accumulators into results, `store` writes results to memory. The units run decoupled. What orders them is tokens: there
is a counter from every unit to every other; an instruction starts once every unit named in `wait` has left it a token,
takes one from each, and leaves one for every unit named in `signal` when it is done. After an instruction with `fence`
nothing is dispatched until the engine is idle, so that programs separated by fences take the sum of their cycles.

Binary form: 256 bits, little endian; the fields of `HEADER`, then the fields of the instruction, each in the order of
its table starting from the least significant bit. The tables are the definition: the circuit's layouts, the assembler
and the documentation are derived from them.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import InputError

UNITS = ("load", "multiply", "finish", "store")
BUFFERS = ("activation", "weight", "parameter")
OUTPUTS = ("int8", "fp16", "fp32", "posit(8,0)", "posit(16,1)")
OUTPUT_BYTES = {"int8": 1, "fp16": 2, "fp32": 4, "posit(8,0)": 1, "posit(16,1)": 2}
INSTRUCTION_BYTES = 32

HEADER = {"opcode": 2, "fence": 1, "wait": 4, "signal": 4}
"""Bits of the fields that every instruction starts with; bit i of `wait` and `signal` stands for `UNITS[i]`."""


class Load(NamedTuple):
    """Copy `rows` runs of `length` bytes from memory into a scratchpad.

    Run r comes from byte `address + r * stride`. It goes to bank `(bank + r) mod banks`, at byte `offset`, which moves
    on by `pitch` whenever the bank wraps round to 0. (The activation scratchpad has a bank for each row of the tile;
    the others have one bank.) What follows a run in its last beat becomes 0, so that steps beyond K add nothing.
    """

    buffer: int
    rows: int
    length: int
    address: int
    stride: int = 0
    bank: int = 0
    offset: int = 0
    pitch: int = 0
    wait: int = 0
    signal: int = 0
    fence: int = 0


class Multiply(NamedTuple):
    """Multiply `rows` rows of activations with `columns` tiles of n weight columns and add to the accumulators.

    The reduction is `groups` segments of `steps` steps, the last one of `last_steps`. After each segment the cells'
    sums are corrected by the segment's zero points and, if `scaled`, multiplied by its scales, then added to the
    accumulators: float32 if `scaled`, else int32. For column tile j and segment g these factors are the word
    `parameter + j * groups + g` of the parameter scratchpad, if `parameters` is set (else scale and zero point do not
    matter and are 0). If `first`, the sum starts from the bias, word `bias + j`, if `biased`, else from zero.

    `activation` and `pitch` (from one tile of m rows to the next) count steps of k activations in a bank; `weight`
    counts words, which follow one another by column tile, step and plane. The results of tile (j, i) are the
    accumulator words from `accumulator + (j * row_tiles + i) * m / drain` on.
    """

    mode: int
    rows: int
    columns: int
    groups: int
    steps: int
    last_steps: int
    activation: int
    pitch: int
    weight: int
    accumulator: int
    parameter: int = 0
    bias: int = 0
    first: int = 0
    biased: int = 0
    parameters: int = 0
    scaled: int = 0
    wait: int = 0
    signal: int = 0
    fence: int = 0


class Finish(NamedTuple):
    """Turn the accumulators of a block into results: ReLU, times b / 2^c, rounded once to the output format.

    `rows`, `columns` and `accumulator` name a block as `multiply` left it; `floating` says that it holds float32.
    b and c of column tile j are word `parameter + j` of the parameter scratchpad. Row group r (`drain` rows) of column
    tile j goes to byte `j * n * bytes_per_result` of the words from `output + r * pitch` on.
    """

    format: int
    rows: int
    columns: int
    accumulator: int
    parameter: int
    output: int
    pitch: int
    relu: int = 0
    floating: int = 0
    wait: int = 0
    signal: int = 0
    fence: int = 0


class Store(NamedTuple):
    """Copy `rows` runs of `length` bytes from the output buffer to memory; addresses work as in `load`."""

    rows: int
    length: int
    address: int
    stride: int = 0
    bank: int = 0
    offset: int = 0
    pitch: int = 0
    wait: int = 0
    signal: int = 0
    fence: int = 0


Instruction = Load | Multiply | Finish | Store
KINDS: tuple[type[Instruction], ...] = (Load, Multiply, Finish, Store)

_OPCODES = {kind: index for index, kind in enumerate(KINDS)}

_TRANSFER = {"rows": 16, "length": 24, "address": 40, "stride": 32, "bank": 12, "offset": 24, "pitch": 24}
FIELDS: dict[type[Instruction], dict[str, int]] = {
    Load: {"buffer": 2, **_TRANSFER},
    Multiply: {
        "mode": 4,
        "rows": 16,
        "columns": 12,
        "groups": 12,
        "steps": 16,
        "last_steps": 16,
        "activation": 24,
        "pitch": 24,
        "weight": 24,
        "accumulator": 20,
        "parameter": 20,
        "bias": 20,
        "first": 1,
        "biased": 1,
        "parameters": 1,
        "scaled": 1,
    },
    Finish: {
        "format": 3,
        "rows": 16,
        "columns": 12,
        "accumulator": 20,
        "parameter": 20,
        "output": 20,
        "pitch": 16,
        "relu": 1,
        "floating": 1,
    },
    Store: _TRANSFER,
}
"""Bits of each instruction's own fields, in the order of the binary form."""


def unit(instruction: Instruction) -> int:
    """Return the index in `UNITS` of the unit that executes `instruction` (its opcode)."""
    return _OPCODES[type(instruction)]


def mask(*names: str) -> int:
    """Return the `wait` or `signal` mask of the named units."""
    return sum(1 << UNITS.index(name) for name in names)


_MASKED = tuple(tuple(index for index in range(len(UNITS)) if bits >> index & 1) for bits in range(1 << len(UNITS)))


def units(bits: int) -> tuple[int, ...]:
    """Return the indices of the units in a `wait` or `signal` mask."""
    return _MASKED[bits]


def encode(instruction: Instruction) -> bytes:
    """Return the 32 bytes of `instruction`.

    Raises
    ------
    InputError : if a field's value does not fit its bits.
    """
    kind = type(instruction)
    word = position = 0
    for field, bits in (HEADER | FIELDS[kind]).items():
        value = unit(instruction) if field == "opcode" else getattr(instruction, field)
        if not 0 <= value < 1 << bits:
            name, most = UNITS[unit(instruction)], (1 << bits) - 1
            raise InputError(f"{name}: {field} = {value} does not fit its {bits} bits (at most {most})")
        word |= int(value) << position
        position += bits
    return word.to_bytes(INSTRUCTION_BYTES, "little")


def decode(data: bytes) -> Instruction:
    """Return the instruction that `encode` turned into `data` (32 bytes)."""
    if len(data) != INSTRUCTION_BYTES:
        raise InputError(f"an instruction has {INSTRUCTION_BYTES} bytes, not {len(data)}")
    word = int.from_bytes(data, "little")
    kind = KINDS[word & 3]
    values, position = {}, 0
    for field, bits in (HEADER | FIELDS[kind]).items():
        values[field] = word >> position & ((1 << bits) - 1)
        position += bits
    if word >> position:
        raise InputError(f"{kind.__name__.lower()}: bits above {position} must be 0, found {word >> position:#x}")
    del values["opcode"]
    if values.get("buffer", 0) >= len(BUFFERS):
        raise InputError(f"load: buffer = {values['buffer']} is none of {', '.join(BUFFERS)}")
    return kind(**values)
