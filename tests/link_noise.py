"""What a bad line does to frames, and errands that notice when something wrong comes through."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from dyad.hw.dialogue import Dialogue, LinkError, Steps
from dyad.hw.host import BITS
from dyad.models.system import PROGRAM, System

TALLY = 4
"""Bytes at the start of the memory, where every instruction of an errand leaves how many there have been."""

RUNS = 8
"""Most instructions that an errand runs at once."""


class BitNoise:
    """Flips, drops and repeats bits.

    Parameters
    ----------
    rng : source of what happens.
    rate : share of the requests that something happens to, and of the answers, roughly.

    Attributes
    ----------
    faults : how often each thing happened, and `requests` in all.
    """

    def __init__(self, rng: random.Random, rate: float) -> None:
        self._rng, self._rate = rng, rate
        self._before: list[int] = []
        self.faults: Counter[str] = Counter()

    def request(self, bits: list[int]) -> list[int]:
        """Return what becomes of the bits of a request's frame."""
        rng, before, self._before = self._rng, self._before, bits
        self.faults["requests"] += 1
        if rng.random() >= self._rate:
            return bits
        kind = rng.choice(["flips", "burst", "truncated", "beheaded", "duplicate", "late duplicate", "noise before"])
        self.faults[kind] += 1
        place = rng.randrange(len(bits))
        match kind:
            case "flips":
                chosen = {rng.randrange(len(bits)) for _ in range(rng.choice([1, 1, 2, 3, 5]))}
                return [bit ^ (index in chosen) for index, bit in enumerate(bits)]
            case "burst":
                return [bit ^ (place <= index < place + 40 and rng.random() < 0.5) for index, bit in enumerate(bits)]
            case "truncated":
                return bits[:place]
            case "beheaded":
                return bits[place:]
            case "duplicate":
                return bits + bits
            case "late duplicate":
                return before + bits
            case _:
                return [rng.randrange(2) for _ in range(rng.randrange(1, 200))] + [1] * BITS + bits

    def octet(self, bits: list[int]) -> list[int]:
        """Return what becomes of the bits of one octet of an answer."""
        rng = self._rng
        if rng.random() >= self._rate / 12:  # an answer has about as many octets
            return bits
        kind = rng.choice(["answers' octets lost", "answers' bits flipped"])
        self.faults[kind] += 1
        if kind == "answers' octets lost":
            return [1] * BITS
        place = rng.randrange(BITS)
        return [bit ^ (index == place) for index, bit in enumerate(bits)]

    def octets(self, octets: bytes) -> bytes:
        """Return what becomes of octets that travel as 8 bits each, without start and stop bits."""
        if not octets:
            return b""
        bits = self.request([octet >> index & 1 for octet in octets for index in range(8)])
        bits += [1] * (-len(bits) % 8)
        return bytes(
            sum(bit << index for index, bit in enumerate(bits[start : start + 8])) for start in range(0, len(bits), 8)
        )


def errands(system: System, count: int, rng: random.Random) -> Steps[dict[str, Any]]:
    """Do `count` things with a system whose memory is 0, and compare everything that it says with what must be.

    Its instructions must each write their number to the first four bytes of memory, counted from 1.

    Returns
    -------
    dict : how many things were `done`, failed with reported `errors`, were `wrong`; `runs`, `retries`.
    """
    link, report = Dialogue(system), Counter(done=0, errors=0, wrong=0, runs=0)
    memory = bytearray(system.memory_bytes)
    doubtful: set[int] = set()  # bytes that a write may have reached or not
    taken = {0}  # how many instructions may have been executed
    while True:
        try:
            yield from link.write(PROGRAM, bytes(32 * RUNS))
            break
        except LinkError:
            report["errors"] += 1
    for _ in range(count):
        kind = rng.choice(["write", "write", "read", "read", "run"])
        length = rng.choice([0, 1, 2, rng.randrange(40)])
        address = TALLY + rng.randrange(system.memory_bytes - TALLY - length)
        touched = range(address, address + length)
        try:
            if kind == "write":
                data = rng.choice([rng.randbytes(length), bytes([0x7E, 0x7D] * length)[:length]])
                memory[address : address + length] = data
                doubtful.update(touched)
                yield from link.write(address, data)
                doubtful.difference_update(touched)
            elif kind == "read":
                data = yield from link.read(address, length)
                certain = [place for place in touched if place not in doubtful]
                report["wrong"] += any(data[place - address] != memory[place] for place in certain)
            else:
                instructions = rng.randrange(1, RUNS + 1)
                before = taken
                taken = {each + more for each in before for more in (0, instructions)}
                yield from link.start(0, instructions)
                taken = {each + instructions for each in before}
                while (yield from link.status())[0]:
                    pass
                tally = int.from_bytes((yield from link.read(0, TALLY)), "little")
                report["wrong"] += tally not in taken
                taken = {tally}
                report["runs"] += 1
            report["done"] += 1
        except LinkError:
            report["errors"] += 1
    return {**report, "retries": link.retries}
