"""The cocotb bench of the memory on the chip: random bursts, their bytes and, where nothing stalls, their cycles."""

from __future__ import annotations

import random
from collections import deque

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from dyad.hw.simulate import exchange
from dyad.rtl.layouts import REQUEST


@cocotb.test()
async def bursts(dut) -> None:
    """Write and read bursts; return how many beats came, and cycles in which a request waited."""
    inputs, rng = exchange.inputs, random.Random(exchange.seed)
    timing, size, stalls = inputs["timing"], inputs["size"], inputs["stalls"]
    beat = timing.bytes_per_cycle
    request, read, write = (
        {name: getattr(dut, f"port__{part}__{name}") for name in names}
        for part, names in (
            ("request", ("valid", "ready", "payload")),
            ("read", ("valid", "data")),
            ("write", ("valid", "ready", "payload")),
        )
    )
    Clock(dut.clk, 2, "step").start()
    for signal in (dut.rst, request["valid"], write["valid"]):
        signal.value = 0
    memory, known = bytearray(size), [False] * size
    expected: deque[tuple[int, bytes, list[bool]]] = deque()  # cycle, bytes and which are known, of beats to come
    beats: deque[tuple[int, int, int, int]] = deque()  # cycle, address, data and mask of beats to write
    offered, ready_at = None, 0
    left = inputs["count"]
    cycle = came = waited = 0
    while left or expected or beats or offered is not None:
        await RisingEdge(dut.clk)
        if offered is not None and int(request["ready"].value):
            if not stalls:
                assert cycle >= ready_at, f"cycle {cycle}: accepted before {ready_at}"
            address, count, writes = offered.address, offered.beats, offered.write
            first = cycle + timing.burst_overhead + 1
            ready_at = cycle + timing.occupied(count)
            for index in range(count):
                places = [(address + index * beat + byte) % size for byte in range(beat)]
                if writes:
                    data, mask = rng.getrandbits(8 * beat), rng.choice([(1 << beat) - 1, rng.getrandbits(beat)])
                    beats.append((first + index, address + index * beat, data, mask))
                    for byte in (byte for byte in range(beat) if mask >> byte & 1):
                        memory[places[byte]], known[places[byte]] = data >> 8 * byte & 255, True
                else:
                    values = bytes(memory[place] for place in places)
                    expected.append((first + timing.latency + index, values, [known[place] for place in places]))
            offered = None
        elif offered is not None:
            waited += 1
            assert stalls or cycle < ready_at, f"cycle {cycle}: not accepted, from {ready_at} on it must be"
        if int(read["valid"].value):
            moment, values, certain = expected.popleft()
            came += 1
            assert stalls or moment == cycle, f"cycle {cycle}: a beat that is due in {moment}"
            found = int(read["data"].value).to_bytes(beat, "little")
            assert all(a == b for a, b, sure in zip(found, values, certain, strict=True) if sure), f"cycle {cycle}"
        elif expected and not stalls:
            assert expected[0][0] > cycle, f"cycle {cycle}: the beat due in {expected[0][0]} is missing"
        if int(write["ready"].value) and int(write["valid"].value):
            due = beats.popleft()[0]
            assert stalls or due == cycle, f"cycle {cycle}: took a beat that is due in {due}"
        if offered is None and left and rng.random() < 0.7:
            left -= 1
            offered = REQUEST.const(
                {"address": rng.randrange(size), "beats": rng.choice([1, 1, 2, 3, 9]), "write": rng.randrange(2)}
            )
            request["payload"].value = offered.as_bits()
        request["valid"].value = int(offered is not None)
        write["valid"].value = int(bool(beats) and rng.random() >= stalls)
        if beats:
            write["payload"].value = beats[0][3] << 8 * beat | beats[0][2]
        cycle += 1
    exchange.outputs["came"], exchange.outputs["waited"] = came, waited
