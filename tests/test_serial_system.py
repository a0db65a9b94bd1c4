# amaranth: UnusedElaboratable=no
"""Systems behind a serial line, as circuits under Verilator: the golden system's answers, through the pins."""

from __future__ import annotations

import random

import numpy as np
import pytest

from dyad.hw.pins import CYCLE
from dyad.hw.simulate import run
from dyad.hw.synthesis.ecp5 import Ecp5Netlist
from dyad.models import accelerator
from dyad.models.link.device import Device
from dyad.models.link.frame import ESCAPE, FLAG, LARGEST_DATA, frame
from dyad.models.link.message import Command, Request
from dyad.models.system import PROGRAM, System
from dyad.rtl.link.uart import UartReceiver, UartTransmitter
from dyad.rtl.system import SerialSystem

from .cases import small
from .link_circuit import LinkedTally, Receivers
from .network import digits_programs, same_as_golden
from .test_link import tally

DIVISORS = (4, 8, 13, 100)
BENCH = "dyad.tests.link_bench"
TINY = accelerator.load("tiny")
SYSTEM = System(TINY, memory_bytes=2048, instructions=16)
WIDE = System(small(m=8, n=8, k=4, drain=1, beat=16), memory_bytes=4096, instructions=16)


def on_circuit(system: System, test: str, divisor: int = 4, seed: int = 0, **inputs):
    name = f"link_{system.accelerator.memory.bytes_per_cycle}_{divisor}"
    inputs |= {"divisor": divisor, "system": system}
    return run(LinkedTally(system, divisor), name, BENCH, inputs, testcase=test, seed=seed)


def requests(system: System, rng: random.Random, count: int) -> list[bytes]:
    """Return random requests, sound and unsound, that a golden system answers to without an engine."""
    found, sequence = [], 0
    for _ in range(count):
        sequence = (sequence + rng.choice([1, 1, 1, 1, 0, 2, 255])) % 256
        command = rng.choice([Command.WRITE, Command.READ] * 4 + [0, Command.RUN, Command.RESET, 6, 0x7E, 0xFF])
        edge = rng.choice([0, system.memory_bytes - 20, PROGRAM, PROGRAM + 32 * system.instructions - 20, 2**32 - 20])
        address, length = edge + rng.randrange(20), rng.randrange(24)
        data = rng.randbytes(length) if command == Command.WRITE else b""
        if rng.random() < 0.1:
            length, data = rng.choice([length + 1, LARGEST_DATA + 1, 65535, 0]), rng.choice([data, b"?", b""])
        if command == Command.RUN:
            address = rng.choice([system.instructions, system.instructions + 5, 2**32 - 1, 2**16])
        found.append(Request(sequence, command, address, length, data).encode())
    return found


@pytest.mark.parametrize("system", [SYSTEM, WIDE])
def test_the_circuit_answers_as_the_golden_system_does(system: System) -> None:
    rng = random.Random(4)
    pieces = []
    for body in requests(system, rng, 150):
        damaged = bytearray(frame(body))
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        pieces += rng.choice([[frame(body)], [frame(body)], [frame(body)[1:]], [bytes(damaged)], [frame(body[:7])]])
    pieces += [rng.randbytes(30), bytes([ESCAPE, FLAG, FLAG, ESCAPE]), frame(Request(9, Command.IDENTIFY).encode())]
    largest = Request(10, Command.WRITE, 100, LARGEST_DATA, rng.randbytes(LARGEST_DATA)).encode()
    pieces += [frame(largest), bytes([FLAG]) + bytes(LARGEST_DATA + 30) + frame(largest)[1:], frame(largest)]
    pieces += [frame(Request(11, Command.READ, 100, LARGEST_DATA).encode())]
    device = Device(system, tally)
    expected = [device.feed(piece) for piece in pieces]
    assert on_circuit(system, "octets", pieces=pieces)["answers"] == expected
    assert sum(map(bool, expected)) > 90 and len(expected[-1]) > LARGEST_DATA


def test_a_frame_that_starts_while_another_is_answered_is_lost() -> None:
    first, second = (
        frame(request.encode())
        for request in (
            Request(0, Command.IDENTIFY),
            Request(1, Command.WRITE, 0, 300, random.Random(0).randbytes(300)),
        )
    )
    answers = on_circuit(SYSTEM, "octets", pieces=[first + second, second])["answers"]
    device = Device(SYSTEM)
    assert answers == [device.feed(first), device.feed(second)]


def test_programs_run_once_and_their_cycles_are_counted() -> None:
    bodies = [
        Request(0, Command.IDENTIFY),
        Request(1, Command.WRITE, PROGRAM, 320, b"".join((4 * each).to_bytes(32, "little") for each in range(10))),
        Request(2, Command.RUN, 3, 5),
        Request(2, Command.RUN, 3, 5),
        Request(3, Command.READ, 0, 40),
        Request(4, Command.STATUS),
    ]
    answers = on_circuit(SYSTEM, "octets", pieces=[frame(body.encode()) for body in bodies])["answers"]
    words = [0, 0, 0, 1, 2, 3, 4, 5, 0, 0]
    assert answers[4] == frame(bytes([3, 0x82, 0]) + np.array(words, "<u4").tobytes())
    # An instruction of the stand-in takes the cycles of its write: taken, asked for, overhead, moved.
    cycles = 5 * (3 + TINY.memory.burst_overhead)
    assert answers[5] == frame(bytes([4, 0x84, 0, 0]) + cycles.to_bytes(4, "little"))


def heard(divisor: int, levels: list[tuple[int, int]]) -> list[int | None]:
    """Return the octets that the receiver makes of levels of the line; None stands for a damaged one."""
    inputs = {"divisor": divisor, "levels": [*levels, (1, 20 * CYCLE * divisor)], "index": DIVISORS.index(divisor)}
    return run(Receivers(DIVISORS), "receivers", BENCH, inputs, testcase="levels")["heard"]


@pytest.mark.parametrize(
    ("divisor", "drift"), [(4, 0.0), (8, 0.04), (8, -0.025), (13, 0.045), (13, -0.03), (100, 0.05), (100, -0.045)]
)
def test_a_line_that_is_too_fast_or_slow_is_understood(divisor: int, drift: float) -> None:
    octets, bit = list(range(256)), CYCLE * divisor * (1 + drift)
    bits = [octet << 1 >> index & 1 if index < 9 else 1 for octet in octets for index in range(10)]
    ends = [round(index * bit) for index in range(len(bits) + 1)]
    levels = [(level, end - start) for level, start, end in zip(bits, ends, ends[1:], strict=False)]
    assert heard(divisor, levels) == octets


def test_glitches_are_no_start_bits_and_one_wrong_sample_of_three_does_no_harm() -> None:
    bit = CYCLE * 8
    dents = [(0, bit)]
    for index in range(9):
        level = 0xA5 >> index & 1 if index < 8 else 1
        dents += [(level, bit // 2 - CYCLE // 2), (1 - level, CYCLE), (level, bit // 2 - CYCLE // 2)]
    assert heard(8, [(1, 100), (0, CYCLE), (1, 9 * bit), (0, 2 * CYCLE), (1, 9 * bit), *dents]) == [0xA5]


def test_a_break_is_one_damaged_octet_and_so_is_a_wrong_stop_bit() -> None:
    bit = CYCLE * 8
    sound = [(0, 2 * bit), (1, 4 * bit), (0, 2 * bit), (1, 2 * bit), (1, 3 * bit)]
    wrong = [(0, 5 * bit), (1, 4 * bit), (0, bit), (1, bit)]
    assert heard(8, [(0, 30 * bit), (1, bit), *sound, *wrong, *sound]) == [None, 0x9E, None, 0x9E]


def test_a_damaged_octet_costs_its_frame_and_no_other() -> None:
    octets = frame(Request(3, Command.IDENTIFY).encode())
    wrong_stop_bit = 10 * 5 + 9
    answers = on_circuit(SYSTEM, "octets", pieces=[octets, octets], flip=wrong_stop_bit)["answers"]
    assert answers == [b"", Device(SYSTEM).feed(octets)]


def test_dividers_too_small_are_refused() -> None:
    for kind in (UartReceiver, UartTransmitter):
        with pytest.raises(ValueError, match="divisor = 3: a bit takes at least 4 cycles"):
            kind(3)


def noisy(count: int, seed: int) -> None:
    result = on_circuit(SYSTEM, "faults", seed=seed, count=count, rate=0.4)
    report, faults = result["report"], result["faults"]
    assert report["wrong"] == 0
    assert faults["requests"] > count and report["done"] + report["errors"] >= count
    assert report["done"] > 0.9 * count and report["retries"] > 0.3 * count and report["runs"] > 0.1 * count
    assert len(faults) == 10 and min(faults.values()) > 0.01 * count


def test_requests_over_a_bad_line_are_right_or_an_error() -> None:
    noisy(400, seed=1)


@pytest.mark.slow
def test_ten_thousand_requests_over_a_bad_line_are_right_or_an_error() -> None:
    noisy(10_000, seed=2)


def classify(machine: accelerator.Accelerator, images: int, rate: float = 0.0, gates: bool = False) -> None:
    """Images go through the pins into a network on the system, and what comes back is what the golden network says."""
    system = System(machine, memory_bytes=16384, instructions=256)
    inputs, network = digits_programs(system, images)
    inputs |= {"system": system, "divisor": 4, "rate": rate}
    name = f"serial_{machine.name}"
    if gates:
        circuit = Ecp5Netlist(SerialSystem(system, 4), name)
        found = run(circuit, f"{name}_gates", BENCH, inputs, testcase="program", sources=circuit.sources)
    else:
        found = run(SerialSystem(system, 4), name, BENCH, inputs, testcase="program")
    same_as_golden(network, inputs, found["runs"])
    assert (found["retries"] > 0) == (rate > 0)


def test_a_digit_is_classified_through_the_pins() -> None:
    classify(TINY, 1)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.0, 0.05])
def test_ten_digits_are_classified_through_the_pins(rate: float) -> None:
    classify(accelerator.load("ulx3s"), 10, rate)


@pytest.mark.slow
def test_a_digit_is_classified_through_the_pins_of_the_netlist() -> None:
    classify(accelerator.load("ulx3s"), 1, gates=True)
