"""What a host says to a system and what it makes of the answers, apart from how the bytes get there.

Every method of `Dialogue` returns steps: a generator that yields `Send` and `Receive`, is sent the bytes that came, and
returns the result. `drive` takes such steps over a line that blocks; a simulation awaits them in its own way. So the
same code talks over a serial port and over simulated pins.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, Protocol, TypeVar

from ..models.errors import InputError
from ..models.link.frame import LARGEST_BODY, LARGEST_DATA, Receiver, frame
from ..models.link.message import (
    IDENTITY,
    PROGRESS,
    Answer,
    Command,
    Identity,
    Request,
    Status,
)
from ..models.system import System

TRIES = 8
"""How often a request is sent before the host gives up."""

PATIENCE = 32
"""Times of a byte on the line that a host waits at least for the first byte of an answer, and for each of the next."""


class LinkError(RuntimeError):
    """The system did not answer, refused a request, or is not the one that was expected."""


class Send(NamedTuple):
    """Send `octets`."""

    octets: bytes


class Receive(NamedTuple):
    """Wait for bytes, for as long as `patience` of them take on the line; what has come by then may be nothing."""

    patience: int


Result = TypeVar("Result")
Steps = Generator[Send | Receive, bytes, Result]


class Line(Protocol):
    """What carries the bytes."""

    def send(self, octets: bytes) -> None:
        """Send `octets`."""

    def receive(self, patience: int) -> bytes:
        """Return what has come, at least a byte unless none comes in the time that `patience` bytes take."""


def drive(line: Line, steps: Steps[Result]) -> Result:
    """Take steps over a line, and return their result."""
    try:
        step = next(steps)
        while True:
            if isinstance(step, Send):
                line.send(step.octets)
                step = next(steps)
            else:
                step = steps.send(line.receive(step.patience))
    except StopIteration as end:
        return end.value


class Dialogue:
    """A host's side of the link.

    Parameters
    ----------
    system : what the other side must be.
    tries : how often a request is sent before the host gives up.

    Attributes
    ----------
    retries : requests that were sent once more so far.
    """

    def __init__(self, system: System, tries: int = TRIES) -> None:
        self.system = system
        self.retries = 0
        self._tries = tries
        self._sequence = 0
        self._known = False

    def identify(self) -> Steps[Identity]:
        """Ask what the system is.

        Raises
        ------
        LinkError : if it is another one.
        """
        self._known = False
        answer = yield from self._ask(Command.IDENTIFY, expected=IDENTITY.size)
        identity = Identity(*IDENTITY.unpack(answer))
        system = self.system
        wanted = Identity(system.fingerprint, system.memory_bytes, system.instructions, LARGEST_DATA)
        for name, found, right in zip(Identity._fields, identity, wanted, strict=True):
            if found != right:
                shown = [each.hex() if isinstance(each, bytes) else str(each) for each in (found, right)]
                raise LinkError(f"the system's {name} is {shown[0]}, not {shown[1]}: it was built from something else")
        self._known = True
        return identity

    def write(self, address: int, data: bytes) -> Steps[None]:
        """Write `data` to memory, or from `PROGRAM` on to the instructions."""
        for start in range(0, len(data), LARGEST_DATA):
            part = data[start : start + LARGEST_DATA]
            yield from self._request(Command.WRITE, address + start, len(part), part)

    def read(self, address: int, length: int) -> Steps[bytes]:
        """Return `length` bytes of memory."""
        parts = []
        for start in range(0, length, LARGEST_DATA):
            size = min(LARGEST_DATA, length - start)
            parts.append((yield from self._request(Command.READ, address + start, size, expected=size)))
        return b"".join(parts)

    def start(self, first: int, count: int) -> Steps[None]:
        """Start `count` instructions from number `first` on."""
        yield from self._request(Command.RUN, first, count)

    def status(self) -> Steps[tuple[bool, int]]:
        """Return whether a program runs, and the cycles that the last one has taken so far."""
        answer = yield from self._request(Command.STATUS, expected=PROGRESS.size)
        running, cycles = PROGRESS.unpack(answer)
        return bool(running), cycles

    def reset(self) -> Steps[None]:
        """Stop whatever runs; memory and instructions stay as they are."""
        yield from self._request(Command.RESET)

    def _request(
        self, command: Command, address: int = 0, length: int = 0, data: bytes = b"", expected: int = 0
    ) -> Steps[bytes]:
        if not self._known:
            yield from self.identify()
        return (yield from self._ask(command, address, length, data, expected))

    def _ask(
        self, command: Command, address: int = 0, length: int = 0, data: bytes = b"", expected: int = 0
    ) -> Steps[bytes]:
        """Send a request until its answer comes; return the answer's data.

        Raises
        ------
        LinkError : if none comes, or one that is no success.
        """
        if not 0 <= address < 1 << 32:
            raise InputError(f"address {address:#x} is not one of 32 bits")
        self._sequence = (self._sequence + 1) % 256
        request = Request(self._sequence, command, address, length, data)
        octets = frame(request.encode())
        for attempt in range(self._tries):
            self.retries += attempt > 0
            yield Send(octets)
            answer = yield from self._answer(request, expected)
            if answer is not None:
                break
        else:
            self._known = False  # nor does anybody know whether the request was done
            raise LinkError(f"no answer to {command.name} in {self._tries} tries")
        if answer.status != Status.DONE:
            names = {status.value: status.name for status in Status}
            self._known = self._known and answer.status != Status.ORDER
            what = f"{command.name} of {length} at {address:#x}"
            raise LinkError(f"{what} is answered with {names.get(answer.status, answer.status)}")
        return answer.data

    def _answer(self, request: Request, expected: int) -> Steps[Answer | None]:
        """Return the answer to a request, None if time is over."""
        receiver = Receiver()
        left = 4 * LARGEST_BODY  # on a line that never rests
        patience = PATIENCE + len(request.data) + expected
        while left > 0:
            octets = yield Receive(patience)
            if not octets:
                return None
            left -= len(octets)
            for body in receiver.feed(octets):
                answer = Answer.decode(body)
                if answer is None or (answer.sequence, answer.command) != (request.sequence, request.command):
                    continue  # to a request that was repeated
                if len(answer.data) == (expected if answer.status == Status.DONE else 0):
                    return answer
        return None
