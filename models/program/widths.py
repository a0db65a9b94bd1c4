"""How many bits of each field of an instruction an accelerator's programs can need, by the sizes of its buffers."""

from __future__ import annotations

from ..accelerator import Accelerator
from .isa import FIELDS, Finish, Instruction, Load, Multiply, Store


def widths(kind: type[Instruction], accelerator: Accelerator) -> dict[str, int]:
    """Return the bits of an instruction's own fields; more of them would name what its buffers have no room for.

    Those of addresses in memory are all of `isa.FIELDS`: an accelerator does not say how large that is.
    """
    tile, depths, beat = accelerator.tile, accelerator.depths, accelerator.memory.bytes_per_cycle
    banks = {
        "activation": depths["activation"] * beat,
        "weight": depths["weight"] * accelerator.weight_word,
        "parameter": depths["parameter"] * accelerator.column_word,
    }
    # Every run takes a beat at least, every row of results a word of a bank, and every step a word of activations.
    bank, beats = max(banks.values()), max(tile.m * depths["activation"], max(banks.values()) // beat)
    steps, results = banks["activation"] // accelerator.row_word, depths["accumulator"]
    output = depths["output"] * accelerator.column_word
    block = {"rows": results * tile.drain, "columns": results, "accumulator": results, "parameter": depths["parameter"]}
    largest: dict[type[Instruction], dict[str, int]] = {
        Load: {"rows": beats, "length": bank, "bank": tile.m - 1, "offset": bank, "pitch": bank},
        Multiply: {
            "mode": len(accelerator.pe.modes) - 1,
            **block,
            **dict.fromkeys(("groups", "steps", "last_steps", "activation", "pitch"), steps),
            "weight": depths["weight"],
            "bias": depths["parameter"],
        },
        Finish: {**block, "output": depths["output"], "pitch": depths["output"]},
        Store: {
            "rows": depths["output"] * tile.drain,
            "length": output,
            "bank": tile.drain - 1,
            "offset": output,
            "pitch": output,
        },
    }
    own = largest[kind]
    return {
        name: min(bits, max(own[name].bit_length(), 1)) if name in own else bits for name, bits in FIELDS[kind].items()
    }
