"""The cocotb bench of systems behind a serial line: everything goes through their pins."""

from __future__ import annotations

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from dyad.hw.host import Host
from dyad.hw.pins import CYCLE, Pins
from dyad.hw.simulate import exchange
from dyad.tests.link_noise import BitNoise, errands


async def reset(dut) -> int:
    """Reset the circuit, and return the cycles of a bit."""
    dut.rst.value = 1
    dut.rx.value = 1
    Clock(dut.clk, CYCLE, "step").start()
    await Timer(10 * CYCLE, "step")
    dut.rst.value = 0
    return exchange.inputs["divisor"]


async def answer(pins: Pins, patience: int) -> bytes:
    """Return everything that is answered before the line rests."""
    came = b""
    while octets := await pins.receive(patience):
        came += octets
    return came


@cocotb.test()
async def octets(dut) -> None:
    """Send octets in pieces, the first one with a bit flipped if so wished; return what is answered to each."""
    divisor = await reset(dut)
    flips, answers = [exchange.inputs.get("flip")], []

    def noise(bits: list[int]) -> list[int]:
        flip = flips.pop() if flips else None
        return [bit ^ (index == flip) for index, bit in enumerate(bits)]

    pins = Pins(dut, divisor, noise)
    for piece in exchange.inputs["pieces"]:
        await pins.send(piece)
        answers.append(await answer(pins, 64 + len(piece)))
    exchange.outputs["answers"] = answers


@cocotb.test()
async def levels(dut) -> None:
    """Drive levels of a receiver's line, each for a number of steps of the simulation; return what it makes of them."""
    await reset(dut)
    heard, index = [], exchange.inputs["index"]
    octets = {name: getattr(dut, f"octets__{index}__{name}") for name in ("valid", "data", "damaged")}

    async def listen() -> None:
        while True:
            await FallingEdge(dut.clk)
            if int(octets["valid"].value) or int(octets["damaged"].value):
                heard.append(int(octets["data"].value) if int(octets["valid"].value) else None)

    cocotb.start_soon(listen())
    for level, steps in exchange.inputs["levels"]:
        dut.rx.value = level
        await Timer(steps, "step")
    exchange.outputs["heard"] = heard


@cocotb.test()
async def faults(dut) -> None:
    """Run errands over a noisy line."""
    divisor = await reset(dut)
    rng = random.Random(exchange.seed)
    noise = BitNoise(rng, exchange.inputs["rate"])
    pins = Pins(dut, divisor, noise.request, noise.octet)
    steps = errands(exchange.inputs["system"], exchange.inputs["count"], rng)
    exchange.outputs["report"] = await pins.drive(steps)
    exchange.outputs["faults"] = noise.faults


@cocotb.test()
async def program(dut) -> None:
    """Load a program, run it on each batch of inputs, and return cycles and results."""
    divisor = await reset(dut)
    inputs = exchange.inputs
    noise = BitNoise(random.Random(exchange.seed), inputs["rate"])
    pins, host = Pins(dut, divisor, noise.request, noise.octet), Host(inputs["system"])
    await pins.drive(host.load(inputs["program"], inputs["memory"]))
    runs = []
    for batch in inputs["batches"]:
        cycles = await pins.drive(host.run(batch))
        runs.append((cycles, await pins.drive(host.results())))
    exchange.outputs["runs"] = runs
    exchange.outputs["retries"] = host.link.retries
