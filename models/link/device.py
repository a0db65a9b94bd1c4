"""The system at the other end of the link, as it should be: the golden model of the circuits in `rtl/link`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..accelerator import Accelerator
from ..program.interpret import Interpreter
from ..program.isa import INSTRUCTION_BYTES, Instruction, decode
from ..system import PROGRAM, System
from .frame import LARGEST_DATA, Receiver, frame
from .message import HEADER, IDENTITY, MOST_CYCLES, PROGRESS, Answer, Command, Request, Status

Engine = Callable[[list[Instruction]], int]
"""Executes instructions on the memory that it was made for, and returns the cycles they take."""


def golden(accelerator: Accelerator, memory: NDArray[np.uint8]) -> Engine:
    """Return the golden arithmetic as an engine; it has no time, so that all takes 0 cycles."""
    interpreter = Interpreter(accelerator, memory)

    def execute(instructions: list[Instruction]) -> int:
        interpreter.run(instructions)
        return 0

    return execute


class Device:
    """A system.

    Parameters
    ----------
    system : what it is.
    engine : returns the engine of an accelerator with a memory, as new.
    polls : requests for the status that find a program running before it has ended.

    Attributes
    ----------
    memory : uint8 [memory_bytes].
    """

    def __init__(
        self,
        system: System,
        engine: Callable[[Accelerator, NDArray[np.uint8]], Engine] = golden,
        polls: int = 0,
    ) -> None:
        self.memory = np.zeros(system.memory_bytes, np.uint8)
        self._system, self._polls = system, polls
        self._program = bytearray(system.instructions * INSTRUCTION_BYTES)
        self._new_engine = partial(engine, system.accelerator, self.memory)
        self._engine = self._new_engine()
        self._receiver = Receiver(HEADER.size)
        self._last, self._last_status = 0, Status.ORDER
        self._busy, self._cycles = 0, 0

    def feed(self, octets: bytes) -> bytes:
        """Return the frames with which the system answers to the octets that come next."""
        return b"".join(frame(self.answer(Request.decode(body)).encode()) for body in self._receiver.feed(octets))

    def answer(self, request: Request) -> Answer:
        """Return the answer to a request, after having done what it asks for."""
        ahead = (request.sequence - self._last) % 256
        if request.command != Command.IDENTIFY and ahead > 1:
            return Answer(request.sequence, request.command, Status.ORDER)
        if request.command == Command.RUN and ahead == 0:
            return Answer(request.sequence, request.command, self._last_status)
        status = self._check(request)
        self._last, self._last_status = request.sequence, status
        data = self._execute(request) if status == Status.DONE else b""
        return Answer(request.sequence, request.command, status, data)

    def _check(self, request: Request) -> Status:
        address, length = request.address, request.length
        if request.command not in list(Command):
            return Status.UNKNOWN
        if len(request.data) != (length if request.command == Command.WRITE else 0):
            return Status.MALFORMED
        ends = {
            Command.WRITE: (self._system.memory_bytes, PROGRAM + len(self._program))[address >= PROGRAM],
            Command.READ: self._system.memory_bytes,
            Command.RUN: self._system.instructions,
        }
        if request.command in ends:
            if address + length > ends[Command(request.command)]:
                return Status.RANGE
            if length > LARGEST_DATA and request.command == Command.READ:
                return Status.RANGE
            if length == 0 and request.command == Command.RUN:
                return Status.RANGE
            if self._busy:
                return Status.BUSY
        return Status.DONE

    def _execute(self, request: Request) -> bytes:
        address, length = request.address, request.length
        match request.command:
            case Command.IDENTIFY:
                system = self._system
                return IDENTITY.pack(system.fingerprint, system.memory_bytes, system.instructions, LARGEST_DATA)
            case Command.WRITE if address >= PROGRAM:
                self._program[address - PROGRAM : address - PROGRAM + length] = request.data
            case Command.WRITE:
                self.memory[address : address + length] = np.frombuffer(request.data, np.uint8)
            case Command.READ:
                return self.memory[address : address + length].tobytes()
            case Command.RUN:
                self._run(address, length)
            case Command.STATUS:
                busy = self._busy > 0
                self._busy -= busy
                return PROGRESS.pack(busy, self._cycles)
            case Command.RESET:
                self._engine, self._busy = self._new_engine(), 0
        return b""

    def _run(self, first: int, count: int) -> None:
        words = [
            bytes(self._program[index * INSTRUCTION_BYTES : (index + 1) * INSTRUCTION_BYTES])
            for index in range(first, first + count)
        ]
        self._cycles = min(self._engine([decode(word) for word in words]), MOST_CYCLES)
        self._busy = self._polls
