"""A host: loads a program and tensors into a system, runs it, reads results; over any line that carries bytes.

With a board on a serial port::

    host = Host(System(accelerator.load("ulx3s")))
    with SerialLine("/dev/ttyUSB0", 1_000_000) as line:
        drive(line, host.load(program, program.memory(network.layers)))
        cycles = drive(line, host.run(images))
        logits = drive(line, host.results())
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..models.errors import InputError
from ..models.link.device import Device
from ..models.program.isa import INSTRUCTION_BYTES, Instruction, encode
from ..models.program.program import Program
from ..models.system import PROGRAM, System
from .dialogue import TRIES, Dialogue, LinkError, Steps

BITS = 10
"""Of a byte on a serial line: start, eight, stop."""

LATENCY = 0.1
"""Seconds that an operating system and a USB adapter may take beside the time on the line."""


class Host:
    """Runs programs on a system; its methods return steps, see `dialogue.drive`.

    Parameters
    ----------
    system : what is at the other end.
    tries : how often a request is sent before the host gives up.

    Attributes
    ----------
    link : the dialogue, for everything else.
    """

    def __init__(self, system: System, tries: int = TRIES) -> None:
        self.link = Dialogue(system, tries)
        self._program: Program | None = None
        self._memory = np.zeros(0, np.uint8)
        self._pieces: list[bytes] = []
        self._loaded = b""

    def load(self, program: Program, memory: NDArray[np.uint8]) -> Steps[None]:
        """Put a program and its memory, as `Program.memory` prepares it, into the system.

        Raises
        ------
        InputError : if the program is for another accelerator, or its memory does not fit.
        LinkError : as all methods do, if the link fails.
        """
        system = self.link.system
        if program.accelerator != system.accelerator:
            raise InputError(f"the program is for {program.accelerator.name}, the system is {system.accelerator.name}")
        if program.size > system.memory_bytes:
            raise InputError(f"the program takes {program.size} bytes of memory, the system has {system.memory_bytes}")
        yield from self.link.identify()
        yield from self.link.write(0, memory.tobytes())
        self._program, self._memory = program, memory.copy()
        self._pieces = [b"".join(map(encode, piece)) for piece in _pieces(program.instructions, system.instructions)]
        yield from self._place(self._pieces[0])

    def run(self, activations: NDArray[np.integer] | None = None, limit: int = 10**9) -> Steps[int]:
        """Run the program, on new inputs if they are given; return its cycles.

        Parameters
        ----------
        activations : as `Program.write_input` takes them.
        limit : cycles after which a piece of the program is stopped.

        Raises
        ------
        LinkError : if it was.
        """
        program = self._loaded_program()
        if activations is not None:
            program.write_input(self._memory, activations)
            image = program.input
            yield from self.link.write(image.address, self._memory[image.address :][: image.size].tobytes())
        cycles = 0
        for piece in self._pieces:
            yield from self._place(piece)
            yield from self.link.start(0, len(piece) // INSTRUCTION_BYTES)
            cycles += yield from self._wait(limit)
        return cycles

    def results(self) -> Steps[NDArray]:
        """Return what the program's last layer gave, as `Program.read_output` does."""
        program = self._loaded_program()
        image = program.output
        data = yield from self.link.read(image.address, image.size)
        self._memory[image.address :][: image.size] = np.frombuffer(data, np.uint8)
        return program.read_output(self._memory).copy()  # the next results will lie in the same memory

    def _place(self, piece: bytes) -> Steps[None]:
        if piece != self._loaded:
            self._loaded = b""  # until all of it is there
            yield from self.link.write(PROGRAM, piece)
            self._loaded = piece

    def _wait(self, limit: int) -> Steps[int]:
        while True:
            running, cycles = yield from self.link.status()
            if not running:
                return cycles
            if cycles > limit:
                yield from self.link.reset()
                raise LinkError(f"the program still ran after {cycles} cycles, more than {limit}; it was stopped")

    def _loaded_program(self) -> Program:
        if self._program is None:
            raise InputError("no program is loaded")
        return self._program


def _pieces(instructions: Sequence[Instruction], most: int) -> Iterator[Sequence[Instruction]]:
    """Cut a program into pieces of at most `most` instructions, after a fence where there is one."""
    while len(instructions) > most:
        fences = [index + 1 for index in range(most) if instructions[index].fence]
        cut = fences[-1] if fences else most
        yield instructions[:cut]
        instructions = instructions[cut:]
    yield instructions


class GoldenLine:
    """A line to a system that is golden arithmetic: no board and no simulation, but every byte of the link.

    Parameters
    ----------
    device : the system.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._came = b""

    def send(self, octets: bytes) -> None:
        """Send `octets`; the answer is there at once."""
        self._came += self._device.feed(octets)

    def receive(self, patience: int) -> bytes:
        """Return what has come."""
        came, self._came = self._came, b""
        return came


class SerialLine:
    """A serial port, 8N1.

    Parameters
    ----------
    port : its name, such as ``/dev/ttyUSB0``, ``COM3`` or an address that pyserial knows.
    baud : bits per second.

    Raises
    ------
    InputError : if pyserial is not installed.
    LinkError : if the port cannot be opened; later, if it fails.
    """

    def __init__(self, port: str, baud: int) -> None:
        try:
            import serial
        except ImportError:
            raise InputError('pyserial is not installed; get it with pip install "dyad[boards]"') from None
        self._failure, self._baud = serial.SerialException, baud
        try:
            self._port = serial.serial_for_url(port, baud)
        except (serial.SerialException, ValueError) as error:
            raise LinkError(f"cannot open {port}: {error}") from None

    def send(self, octets: bytes) -> None:
        """Send `octets`."""
        try:
            self._port.write(octets)
        except self._failure as error:
            raise LinkError(f"cannot write to {self._port.name}: {error}") from None

    def receive(self, patience: int) -> bytes:
        """Return what has come; wait for a byte for the time of `patience` bytes and an adapter's latency."""
        try:
            self._port.timeout = patience * BITS / self._baud + LATENCY
            return self._port.read(1) + self._port.read(self._port.in_waiting)
        except self._failure as error:
            raise LinkError(f"cannot read from {self._port.name}: {error}") from None

    def close(self) -> None:
        """Close the port."""
        self._port.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
