"""The link as pure Python: frames, messages, the golden system and the host's dialogue, sound and disturbed."""

from __future__ import annotations

import random
import sys
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.hw.dialogue import Dialogue, LinkError, drive
from dyad.hw.host import GoldenLine, Host, SerialLine, _pieces
from dyad.models import accelerator
from dyad.models.errors import InputError
from dyad.models.link.device import Device
from dyad.models.link.frame import ESCAPE, FLAG, LARGEST_BODY, LARGEST_DATA, Receiver, crc, frame
from dyad.models.link.message import IDENTITY, Answer, Command, Request, Status
from dyad.models.network import gemm
from dyad.models.program.isa import Load, encode
from dyad.models.program.program import compile_layers
from dyad.models.system import PROGRAM, System

from .cases import small
from .link_noise import BitNoise, errands

TINY = accelerator.load("tiny")
SYSTEM = System(TINY, memory_bytes=4096, instructions=16)
bodies = st.binary(min_size=3, max_size=60) | st.lists(st.sampled_from([FLAG, ESCAPE, 0x5E, 0]), min_size=3).map(bytes)


class Wire(GoldenLine):
    """A line to a golden device, whose octets noise may change on the way."""

    def __init__(self, device: Device, there=lambda octets: octets, back=lambda octets: octets) -> None:
        super().__init__(device)
        self.there, self.back = there, back

    def send(self, octets: bytes) -> None:
        super().send(self.there(octets))

    def receive(self, patience: int) -> bytes:
        return self.back(super().receive(patience))


class Chatter:
    """A line on which somebody talks all the time, but not to us."""

    def send(self, octets: bytes) -> None:
        pass

    def receive(self, patience: int) -> bytes:
        return b"chatter"


def tally(accelerator, memory):
    """Return an engine that counts instructions, as `link_circuit.Tally` does."""
    taken = [int.from_bytes(memory[:4].tobytes(), "little")]

    def execute(instructions):
        taken[0] += len(instructions)
        memory[:4] = np.frombuffer(taken[0].to_bytes(4, "little"), np.uint8)
        return 3 * len(instructions)

    return execute


@given(st.binary(max_size=100))
def test_the_crc_is_that_of_ethernet(body) -> None:
    assert crc(body) == zlib.crc32(body).to_bytes(4, "little")


@given(st.lists(bodies), st.binary(max_size=20), st.data())
def test_frames_arrive_in_any_pieces_after_any_garbage(sent, garbage, data) -> None:
    stream = garbage.replace(bytes([FLAG]), b"") + b"".join(map(frame, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    receiver, found = Receiver(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += receiver.feed(stream[start:end])
    assert found == sent


@given(bodies, bodies)
def test_one_flag_may_end_a_frame_and_start_the_next(first, second) -> None:
    assert Receiver().feed(frame(first) + frame(second)[1:]) == [first, second]


@given(bodies, st.data())
def test_a_frame_with_one_to_three_flipped_bits_is_lost_and_the_next_is_not(body, data) -> None:
    octets = bytearray(frame(body))
    for place in data.draw(st.sets(st.integers(0, 8 * len(octets) - 1), min_size=1, max_size=3)):
        octets[place // 8] ^= 1 << place % 8
    arrived = Receiver().feed(bytes(octets) + frame(b"next one"))
    assert arrived[-1] == b"next one"
    assert arrived[:-1] in ([], [body])  # flags may be flipped without harm if others stand in for them


def test_frames_that_are_none() -> None:
    whole = frame(b"body")
    assert Receiver().feed(whole[:-1] + bytes([ESCAPE]) + whole[-1:]) == []
    assert Receiver(8).feed(frame(b"1234567") + frame(b"12345678")) == [b"12345678"]
    receiver = Receiver()
    receiver.feed(whole[:3])
    receiver.damage()
    assert receiver.feed(whole[3:] + whole) == [b"body"]
    largest = bytes(LARGEST_BODY)
    assert Receiver().feed(frame(largest)) == [largest]
    longer = largest + b"x"
    assert Receiver().feed(bytes([FLAG]) + longer + crc(longer) + bytes([FLAG])) == []
    with pytest.raises(ValueError, match="a body of 1033 bytes is longer than 1032"):
        frame(longer)


def test_every_request_is_answered_as_the_protocol_says() -> None:
    device = Device(SYSTEM, tally)

    def ask(sequence: int, command: int, *fields) -> tuple[int, bytes]:
        answer = device.answer(Request(sequence, command, *fields))
        assert (answer.sequence, answer.command) == (sequence, command)
        return answer.status, answer.data

    assert ask(0, Command.RUN, 0, 1) == (Status.ORDER, b"")  # before anything else: no repetition
    assert ask(77, Command.WRITE, 0, 1, b"x") == (Status.ORDER, b"")
    status, identity = ask(77, Command.IDENTIFY)
    assert (status, identity) == (Status.DONE, IDENTITY.pack(SYSTEM.fingerprint, 4096, 16, LARGEST_DATA))
    assert ask(78, Command.WRITE, 4093, 3, b"abc") == (Status.DONE, b"")
    assert ask(79, Command.WRITE, 4094, 3, b"abc") == (Status.RANGE, b"")
    assert ask(80, Command.WRITE, 0, 3, b"ab") == (Status.MALFORMED, b"")
    assert ask(81, Command.READ, 4093, 3) == (Status.DONE, b"abc")
    assert ask(82, Command.READ, 0, LARGEST_DATA + 1) == (Status.RANGE, b"")
    assert ask(83, Command.READ, 0, 0, b"?") == (Status.MALFORMED, b"")
    assert ask(84, 99) == (Status.UNKNOWN, b"")
    assert ask(85, Command.WRITE, PROGRAM + 15 * 32, 32, bytes(32)) == (Status.DONE, b"")
    assert ask(86, Command.WRITE, PROGRAM + 15 * 32, 33, bytes(33)) == (Status.RANGE, b"")
    assert ask(87, Command.READ, PROGRAM, 1) == (Status.RANGE, b"")
    assert ask(88, Command.RUN, 15, 1) == (Status.DONE, b"")
    assert ask(88, Command.RUN, 15, 1) == (Status.DONE, b"")  # not once more
    assert ask(89, Command.STATUS) == (Status.DONE, bytes([0, 3, 0, 0, 0]))
    assert ask(90, Command.RUN, 15, 2) == (Status.RANGE, b"")
    assert ask(90, Command.RUN, 15, 2) == (Status.RANGE, b"")
    assert ask(91, Command.RUN, 15, 0) == (Status.RANGE, b"")
    assert ask(90, Command.WRITE, 0, 4, bytes(4)) == (Status.ORDER, b"")  # late
    assert ask(92, Command.READ, 0, 4) == (Status.DONE, bytes([1, 0, 0, 0]))


def test_while_a_program_runs() -> None:
    device = Device(SYSTEM, tally, polls=2)
    asked = [Command.IDENTIFY, Command.RUN, Command.READ, Command.RUN, Command.STATUS, Command.RUN, Command.STATUS]
    asked += [Command.STATUS, Command.RUN, Command.RESET, Command.READ]
    with_length = (Command.RUN, Command.READ)
    found = [
        device.answer(Request(sequence, command, 0, int(command in with_length)))
        for sequence, command in enumerate(asked)
    ]
    assert [answer.status for answer in found] == [0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0]
    assert [answer.data[0] for answer in found if answer.command == Command.STATUS] == [1, 1, 0]
    assert found[-1].data == b"\2"


def test_a_refused_run_that_comes_once_more_is_refused_again() -> None:
    device = Device(SYSTEM, tally, polls=1)
    drive(Wire(device), Dialogue(SYSTEM).start(0, 1))
    assert device.answer(Request(0, Command.IDENTIFY)).status == Status.DONE
    assert device.answer(Request(1, Command.RUN, 0, 1)).status == Status.BUSY
    device.answer(Request(1, Command.STATUS))
    assert device.answer(Request(2, Command.STATUS)).data[0] == 0
    device = Device(SYSTEM, tally, polls=1)
    device.answer(Request(0, Command.IDENTIFY))
    device.answer(Request(1, Command.RUN, 0, 1))
    assert device.answer(Request(2, Command.RUN, 0, 1)).status == Status.BUSY
    device._busy = 0  # it ends between the two
    assert device.answer(Request(2, Command.RUN, 0, 1)).status == Status.BUSY
    assert device.memory[0] == 1


def test_ten_thousand_requests_over_a_bad_line_are_right_or_an_error() -> None:
    rng = random.Random(1)
    there, back = BitNoise(rng, 0.4), BitNoise(rng, 0.2)
    wire = Wire(Device(SYSTEM, tally, polls=1), there.octets, back.octets)
    report = drive(wire, errands(SYSTEM, 6000, rng))
    assert there.faults["requests"] > 10_000
    assert report["wrong"] == 0
    assert report["done"] + report["errors"] >= 6000
    assert report["done"] > 5800 and report["retries"] > 3000 and report["runs"] > 1000
    assert min(there.faults.values()) > 400


def test_a_system_without_numbers_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Device.answer

    def forgetful(self, request):
        self._last = (request.sequence - 1) % 256
        return honest(self, request)

    monkeypatch.setattr(Device, "answer", forgetful)
    rng = random.Random(1)
    wire = Wire(Device(SYSTEM, tally), BitNoise(rng, 0.4).octets)
    assert drive(wire, errands(SYSTEM, 600, rng))["wrong"] > 10


def test_no_answer_is_an_error_and_the_next_request_starts_anew() -> None:
    device = Device(SYSTEM)
    wire = Wire(device)
    link = Dialogue(SYSTEM, tries=3)
    drive(wire, link.write(5, b"hello"))
    wire.there = lambda octets: b""
    with pytest.raises(LinkError, match="no answer to READ in 3 tries"):
        drive(wire, link.read(5, 5))
    assert link.retries == 2
    wire.there = lambda octets: octets
    assert drive(wire, link.read(5, 5)) == b"hello"
    wire = Wire(Device(SYSTEM))  # somebody has switched it off and on
    with pytest.raises(LinkError, match="READ of 5 at 0x5 is answered with ORDER"):
        drive(wire, link.read(5, 5))
    assert drive(wire, link.read(5, 5)) == bytes(5)
    with pytest.raises(LinkError, match="no answer"):
        drive(Chatter(), link.read(5, 5))


def test_another_system_is_noticed() -> None:
    for system, name in (
        (replace(SYSTEM, memory_bytes=8192), "memory_bytes is 8192, not 4096"),
        (replace(SYSTEM, instructions=32), "instructions is 32, not 16"),
        (replace(SYSTEM, accelerator=replace(TINY, queue=8)), "fingerprint is"),
    ):
        with pytest.raises(LinkError, match=name):
            drive(Wire(Device(system)), Dialogue(SYSTEM).read(0, 1))
    assert replace(SYSTEM, accelerator=replace(TINY, name="x", clock_mhz=9)).fingerprint == SYSTEM.fingerprint


def test_refused_requests_and_bad_addresses_are_errors() -> None:
    wire, link = Wire(Device(SYSTEM)), Dialogue(SYSTEM)
    with pytest.raises(LinkError, match="WRITE of 2 at 0xfff is answered with RANGE"):
        drive(wire, link.write(4095, b"ab"))
    with pytest.raises(InputError, match="address 0x100000000 is not one of 32 bits"):
        drive(wire, link.write(1 << 32, b"ab"))
    drive(wire, link.write(0, bytes(3000)))
    assert drive(wire, link.read(0, 3000)) == bytes(3000)


def test_sizes_of_systems_are_checked() -> None:
    for sizes, message in (
        ({"memory_bytes": 3000}, "memory_bytes = 3000 is not a power of two from 8 to 2147483648"),
        ({"instructions": 1}, "instructions = 1 is not a power of two from 2 to 32768"),
        ({"accelerator": replace(TINY, memory=replace(TINY.memory, latency=0))}, "memory.latency = 0: a memory"),
    ):
        with pytest.raises(InputError, match=message):
            replace(SYSTEM, **sizes)


@pytest.mark.parametrize("instructions", [16, 64, 512])
def test_a_host_runs_a_network_on_the_golden_system(digits_program, instructions: int) -> None:
    network, program, images = digits_program
    system = System(TINY, 131072, instructions)
    host, wire = Host(system), Wire(Device(system, polls=3), BitNoise(random.Random(2), 0.1).octets)
    drive(wire, host.load(program, program.memory(network.layers)))
    batches, found = (images, images[::-1]), []
    for batch in batches:
        assert drive(wire, host.run(batch)) == 0
        found.append(drive(wire, host.results()))
    for batch, results in zip(batches, found, strict=True):
        assert results.tobytes() == network.forward(TINY.pe, batch)[-1].tobytes()
    assert host.link.retries


def test_programs_are_cut_after_fences() -> None:
    code, fence = Load(0, 0, 0, 0), Load(0, 0, 0, 0, fence=1)
    program = [code, code, fence, code, code, code, code, code, fence, fence]
    assert [len(piece) for piece in _pieces(program, 4)] == [3, 4, 3]
    assert [encode(each) for piece in _pieces(program, 4) for each in piece] == [encode(each) for each in program]


def test_what_a_host_refuses(digits_program) -> None:
    network, program, _ = digits_program
    wire = Wire(Device(SYSTEM))
    memory = program.memory(network.layers)
    with pytest.raises(InputError, match="no program is loaded"):
        drive(wire, Host(SYSTEM).run())
    with pytest.raises(InputError, match=f"the program takes {program.size} bytes of memory, the system has 4096"):
        drive(wire, Host(SYSTEM).load(program, memory))
    with pytest.raises(InputError, match="the program is for tiny, the system is 4x4x2"):
        drive(wire, Host(System(small(m=4, n=4, k=2, drain=1, beat=4))).load(program, memory))


def test_a_program_that_does_not_end_is_stopped() -> None:
    program = compile_layers([gemm("product", 4, 4, 4)], TINY)
    wire, host = Wire(Device(SYSTEM, lambda accelerator, memory: len, polls=10**6)), Host(SYSTEM)
    drive(wire, host.load(program, np.zeros(program.size, np.uint8)))
    count = len(program.instructions)
    with pytest.raises(LinkError, match=f"still ran after {count} cycles, more than 2; it was stopped"):
        drive(wire, host.run(limit=2))
    assert drive(wire, host.link.status()) == (False, count)


def test_answers_and_requests_keep_their_fields() -> None:
    request = Request(5, Command.WRITE, 0x89ABCDEF, 0xFEDC, b"data")
    assert Request.decode(request.encode()) == request
    assert request.encode()[:8] == bytes([5, 1, 0xEF, 0xCD, 0xAB, 0x89, 0xDC, 0xFE])
    answer = Answer(5, Command.WRITE, Status.DONE, b"data")
    assert Answer.decode(answer.encode()) == answer
    assert Answer.decode(request.encode()) is None and Answer.decode(b"\0\x80") is None


def test_a_serial_port_carries_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with SerialLine("loop://", 1_000_000) as line:
        line.send(b"echo")
        assert line.receive(10) == b"echo"
        assert line.receive(1) == b""
        with pytest.raises(LinkError, match="no answer to IDENTIFY in 2 tries"):  # an echo is no answer
            drive(line, Dialogue(SYSTEM, tries=2).status())
    with pytest.raises(LinkError, match="cannot open /dev/nowhere"):
        SerialLine("/dev/nowhere", 1_000_000)
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(InputError, match=r'pyserial is not installed; get it with pip install "dyad\[boards\]"'):
        SerialLine("loop://", 1_000_000)
