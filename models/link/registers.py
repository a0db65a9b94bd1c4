"""The registers of a system on a bus: the same commands as over a serial line, with a stream for the data.

Each register has 32 bits; register i is at byte 4 i. A command starts when it is written: `WRITE` takes `length` bytes
from the incoming stream, in whole beats, the last of which is marked; `READ` gives as many on the outgoing stream;
`RUN` takes the first instruction for the address and their number for the length; `RESET` ends everything, a transfer
too. Addresses of data are multiples of a beat.
"""

from __future__ import annotations

REGISTERS = (
    "fingerprint_low",
    "fingerprint_high",
    "memory_bytes",
    "instructions",
    "state",
    "cycles",
    "address",
    "length",
    "command",
)

WRITABLE = ("address", "length", "command")

RUNNING, MOVING, RESULT = 0, 1, 8
"""Bits of `state`: a program runs; data move; from here on the `Status` of the last command.

The result of a transfer is there when it has ended. It is `MALFORMED` if the last beat was not marked, or another one
was. What the stream gave until then is in memory.
"""


def offset(name: str) -> int:
    """Return the byte address of a register."""
    return 4 * REGISTERS.index(name)
