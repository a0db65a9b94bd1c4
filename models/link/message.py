"""Requests of a host and answers of a system: the bodies of frames. All numbers are little endian.

| request | address | length | data | the answer's data |
|---|---|---|---|---|
| `IDENTIFY` | | | | fingerprint (8), memory's bytes (4), instructions (2), most bytes of data (2) |
| `WRITE` | of the first byte | of the data | the bytes | |
| `READ` | of the first byte | bytes to read | | the bytes |
| `RUN` | of the first instruction, in instructions | number of instructions | | |
| `STATUS` | | | | 1 while a program runs, else 0 (1), cycles of the run (4) |
| `RESET` | | | | |

A request is `sequence` (1), `command` (1), `address` (4), `length` (2), data. An answer is `sequence` (1), `command`
plus 128 (1), `status` (1), data if the status is `DONE`.

**Numbers.** A request has the number after that of the one before, modulo 256, or the same number if it is the same
request once more. Any other number is answered with `ORDER`, and nothing is done. `IDENTIFY` may have any number, from
which the next requests go on. A `RUN` that comes once more does not run again, but gets its answer again; all other
requests have the same effect once and twice.

**Status.** `DONE`; `BUSY`: not while a program runs; `RANGE`: the memory, the instructions or a frame end before what
was asked for; `MALFORMED`: the length is not that of the data; `UNKNOWN` command; `ORDER`.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

HEADER = struct.Struct("<BBIH")
IDENTITY = struct.Struct("<8sIHH")
PROGRESS = struct.Struct("<BI")
ANSWER = 0x80
"""The bit of the command that answers have, so that nobody takes an echo for an answer."""

ANSWER_BYTES = 3
"""Bytes of an answer before its data."""

MOST_CYCLES = 2**32 - 1
"""Where the counter of cycles stops."""


class Command(IntEnum):
    """What is asked for."""

    IDENTIFY = 0
    WRITE = 1
    READ = 2
    RUN = 3
    STATUS = 4
    RESET = 5


class Status(IntEnum):
    """What became of a request."""

    DONE = 0
    BUSY = 1
    RANGE = 2
    MALFORMED = 3
    UNKNOWN = 4
    ORDER = 5


class Request(NamedTuple):
    """A request; `command` is a number, which a system need not know."""

    sequence: int
    command: int
    address: int = 0
    length: int = 0
    data: bytes = b""

    def encode(self) -> bytes:
        """Return the body of its frame."""
        return HEADER.pack(self.sequence, self.command, self.address, self.length) + self.data

    @classmethod
    def decode(cls, body: bytes) -> Request:
        """Return the request in a body of at least `HEADER.size` bytes."""
        sequence, command, address, length = HEADER.unpack_from(body)
        return cls(sequence, command, address, length, body[HEADER.size :])


class Answer(NamedTuple):
    """An answer."""

    sequence: int
    command: int
    status: int
    data: bytes = b""

    def encode(self) -> bytes:
        """Return the body of its frame."""
        return bytes([self.sequence, self.command | ANSWER, self.status]) + self.data

    @classmethod
    def decode(cls, body: bytes) -> Answer | None:
        """Return the answer in a body, None if it is something else."""
        if len(body) < ANSWER_BYTES or not body[1] & ANSWER:
            return None
        return cls(body[0], body[1] & ~ANSWER, body[2], body[ANSWER_BYTES:])


class Identity(NamedTuple):
    """What a system says it is; see `models.system.System`."""

    fingerprint: bytes
    memory_bytes: int
    instructions: int
    largest_data: int
