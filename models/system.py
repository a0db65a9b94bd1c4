"""A complete system: an accelerator with its memory and its instructions on the chip, for a host to load and to run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from .accelerator import Accelerator
from .errors import InputError
from .program import isa

ADDRESS_BITS = 32
"""Of what a host names: the memory from 0 on, the instructions from `PROGRAM` on."""

PROGRAM = 1 << 31
"""Address of the first instruction; each takes `isa.INSTRUCTION_BYTES` bytes. They can be written, but not read."""

MOST_INSTRUCTIONS = 2**15


@dataclass(frozen=True)
class System:
    """What a host sees of an accelerator.

    Parameters
    ----------
    accelerator : the accelerator; its memory is the one on the chip, and has the timing that it says.
    memory_bytes : size of the memory.
    instructions : how many instructions the system holds; longer programs run in pieces.

    Raises
    ------
    InputError : if a size is not a power of two within its bounds, or the memory is quicker than one on a chip.
    """

    accelerator: Accelerator
    memory_bytes: int = 65536
    instructions: int = 512

    def __post_init__(self) -> None:
        beat = self.accelerator.memory.bytes_per_cycle
        for name, value, least, most in (
            ("memory_bytes", self.memory_bytes, 2 * beat, PROGRAM),
            ("instructions", self.instructions, 2, MOST_INSTRUCTIONS),
        ):
            if value & (value - 1) or not least <= value <= most:
                raise InputError(f"{name} = {value} is not a power of two from {least} to {most}")
        if self.accelerator.memory.latency < 1:
            raise InputError("memory.latency = 0: a memory on the chip takes at least a cycle")
        if beat > isa.INSTRUCTION_BYTES:
            raise InputError(
                f"memory.bytes_per_cycle = {beat} is more than the {isa.INSTRUCTION_BYTES} of an instruction"
            )

    @property
    def fingerprint(self) -> bytes:
        """Eight bytes that differ between systems that a program would run differently on, or in another time."""
        circuit = replace(self.accelerator, name="", clock_mhz=1.0, source="")
        tables = [isa.HEADER, *((kind.__name__, fields) for kind, fields in isa.FIELDS.items())]
        return hashlib.sha256(repr((tables, circuit)).encode()).digest()[:8]
