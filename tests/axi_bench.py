"""The cocotb bench of systems on a bus, with the masters of cocotbext-axi."""

from __future__ import annotations

import logging
import random
from collections import Counter

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from dyad.hw.simulate import exchange
from dyad.models.link.message import Command, Status
from dyad.models.link.registers import MOVING, RESULT, RUNNING, offset
from dyad.models.program.isa import INSTRUCTION_BYTES, encode
from dyad.models.system import PROGRAM


def pauses(rng: random.Random, share: float):
    """Yield whether to pause, cycle by cycle."""
    while True:
        yield rng.random() < share


class Host:
    """Does what `dyad.hw.host.Host` does, over the bus."""

    def __init__(self, dut, rng: random.Random, share: float) -> None:
        for name in ("s_axil", "s_axis", "m_axis"):
            logging.getLogger(f"cocotb.{dut._name}.{name}").setLevel(logging.WARNING)
        self._bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self._there = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst)
        self.back = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst)
        lite = self._bus.write_if, self._bus.read_if
        channels = [lite[0].aw_channel, lite[0].w_channel, lite[0].b_channel, lite[1].ar_channel, lite[1].r_channel]
        for channel in [*channels, self._there, self.back]:
            if share:
                channel.set_pause_generator(pauses(rng, share))

    async def register(self, name: str) -> int:
        return await self._bus.read_dword(offset(name))

    async def command(self, command: int, address: int = 0, length: int = 0) -> None:
        await self._bus.write_dword(offset("address"), address)
        await self._bus.write_dword(offset("length"), length)
        await self._bus.write_dword(offset("command"), command)

    async def result(self) -> int:
        """Return the status of the last command when nothing moves or runs any more."""
        while (state := await self.register("state")) & (1 << RUNNING | 1 << MOVING):
            pass
        return state >> RESULT

    async def write(self, address: int, data: bytes) -> int:
        await self.command(Command.WRITE, address, len(data))
        if (await self.register("state")) >> RESULT == Status.DONE:
            await self._there.send(AxiStreamFrame(data))
        return await self.result()

    async def send(self, data: bytes) -> None:
        await self._there.send(AxiStreamFrame(data))

    async def read(self, address: int, length: int) -> tuple[int, bytes]:
        await self.command(Command.READ, address, length)
        if (state := (await self.register("state")) >> RESULT) != Status.DONE:
            return state, b""
        data = bytes((await self.back.recv()).tdata)
        return await self.result(), data


async def start(dut) -> Host:
    Clock(dut.clk, 2, "step").start()
    dut.rst.value = 1
    host = Host(dut, random.Random(exchange.seed), exchange.inputs["pauses"])
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 2)
    return host


@cocotb.test(timeout_time=10_000_000, timeout_unit="step")
async def program(dut) -> None:
    """Load a program, run it on each batch of inputs, and return cycles and the bytes of the results."""
    host, inputs = await start(dut), exchange.inputs
    program, memory = inputs["program"], inputs["memory"].copy()
    assert await host.write(0, memory.tobytes()) == Status.DONE
    assert await host.write(PROGRAM, b"".join(map(encode, program.instructions))) == Status.DONE
    low, high = await host.register("fingerprint_low"), await host.register("fingerprint_high")
    exchange.outputs["fingerprint"] = (high << 32 | low).to_bytes(8, "little")
    runs, beat = [], program.accelerator.memory.bytes_per_cycle
    for batch in inputs["batches"]:
        program.write_input(memory, batch)
        first, size = program.input.address, program.input.size
        assert first % beat == 0
        assert await host.write(first, memory[first : first + size].tobytes()) == Status.DONE
        await host.command(Command.RUN, 0, len(program.instructions))
        assert await host.result() == Status.DONE
        cycles = await host.register("cycles")
        status, data = await host.read(program.output.address, program.output.size)
        assert status == Status.DONE
        runs.append((cycles, data))
    exchange.outputs["runs"] = runs


@cocotb.test(timeout_time=10_000_000, timeout_unit="step")
async def transfers(dut) -> None:
    """Write and read anything anywhere; check what comes, with a memory of our own."""
    host, system = await start(dut), exchange.inputs["system"]
    rng = random.Random(exchange.seed)
    beat = system.accelerator.memory.bytes_per_cycle
    memory = bytearray(system.memory_bytes)
    kinds: Counter[str] = Counter()
    assert await host.write(0, bytes(memory)) == Status.DONE
    for _ in range(exchange.inputs["count"]):
        length = rng.choice([0, 1, beat - 1, beat, beat + 1, rng.randrange(1, 40 * beat)])
        aligned = rng.randrange(0, system.memory_bytes, beat)
        address = rng.choice([aligned] * 6 + [system.memory_bytes - beat, rng.randrange(system.memory_bytes)])
        expected = Status.DONE
        if length == 0 or address % beat:
            expected = Status.MALFORMED
        elif address + length > system.memory_bytes:
            expected = Status.RANGE
        if rng.random() < 0.5:
            data = rng.randbytes(length)
            assert await host.write(address, data) == expected
            if expected == Status.DONE:
                memory[address : address + length] = data
        else:
            status, data = await host.read(address, length)
            assert status == expected
            assert data == (memory[address : address + length] if expected == Status.DONE else b"")
        kinds[expected.name] += 1

    # A reader that takes nothing until all that can have been read has been.
    host.back.clear_pause_generator()
    host.back.pause = True
    await host.command(Command.READ, 0, 100 * beat)
    await ClockCycles(dut.clk, 600)
    host.back.pause = False
    assert bytes((await host.back.recv()).tdata) == memory[: 100 * beat]

    # Streams that are too short or too long, and commands that are none.
    base = 8 * beat
    await host.command(Command.WRITE, base, 4 * beat)
    await host.send(b"\xaa" * beat)
    assert await host.result() == Status.MALFORMED
    memory[base : base + beat] = b"\xaa" * beat
    await host.command(Command.WRITE, base, beat)
    await host.send(b"\xbb" * 3 * beat)
    assert await host.result() == Status.MALFORMED
    memory[base : base + beat] = b"\xbb" * beat
    assert await host.read(0, 16 * beat) == (Status.DONE, bytes(memory[: 16 * beat]))
    await host.command(77)
    assert await host.result() == Status.UNKNOWN
    await host.command(0x100)
    assert await host.result() == Status.MALFORMED

    # Programs: the last two of ten instructions, which write their number to where they say.
    instructions = b"".join((4 * beat * each).to_bytes(INSTRUCTION_BYTES, "little") for each in range(10))
    assert await host.write(PROGRAM, instructions) == Status.DONE
    assert await host.read(PROGRAM, beat) == (Status.RANGE, b"")
    await host.command(Command.RUN, 8, 2)
    assert await host.result() == Status.DONE
    assert await host.read(4 * beat * 9, 4) == (Status.DONE, (2).to_bytes(4, "little"))
    assert (await host.read(4 * beat * 8, 4))[1] == (1).to_bytes(4, "little")
    await host.command(Command.RUN, 15, 2)
    assert await host.result() == Status.RANGE

    # A transfer that nobody ends, and its reset.
    await host.command(Command.WRITE, 0, beat)
    await host.command(Command.RUN, 0, 1)
    assert divmod(await host.register("state"), 1 << RESULT) == (Status.BUSY, 1 << MOVING)
    await host.command(Command.RESET)
    assert await host.result() == Status.DONE
    assert await host.write(0, bytes(beat)) == Status.DONE
    exchange.outputs["kinds"] = kinds
