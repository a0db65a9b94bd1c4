"""The machine: the engine's controllers as SimPy processes, cycle for cycle what the circuit in `rtl/` does.

A time of the simulation is the number of a clock cycle. What a register takes over at the end of cycle t is there for
others at time t + 1; what happens inside a cycle happens at one time. The machine moves instructions, not values: how
long an instruction works is a function of its fields (`models.program.timing`, and the memory's timing below), so the
simulation takes a few events for each instruction, however many cycles that stands for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import simpy

from ..models.accelerator import Accelerator
from ..models.program.isa import UNITS, Finish, Instruction, Load, Multiply, Store, unit, units
from ..models.program.timing import finish_cycles, multiply_cycles

Process = Generator[simpy.Event, None, None]


class Span(NamedTuple):
    """The first and the last cycle of an instruction on its unit (an index of `UNITS`)."""

    unit: int
    start: int
    end: int


@dataclass(frozen=True)
class Run:
    """What became of some instructions.

    Parameters
    ----------
    cycles : cycles from the one that offers the first instruction to the one that finds the engine idle again.
    spans : when each instruction worked; the spans of a unit are in program order.
    """

    cycles: int
    spans: tuple[Span, ...]

    def busy(self, name: str) -> int:
        """Return the cycles in which the named unit worked."""
        index = UNITS.index(name)
        return sum(span.end - span.start + 1 for span in self.spans if span.unit == index)


class _Counter:
    """Things that one process leaves for another: tokens, places in a queue."""

    def __init__(self, env: simpy.Environment, count: int = 0) -> None:
        self._env, self._count = env, count
        self._waiting: simpy.Event | None = None

    def put(self) -> None:
        """Leave one."""
        if self._waiting is None:
            self._count += 1
        else:
            self._waiting.succeed()
            self._waiting = None

    def take(self) -> bool:
        """Take one if there is one."""
        taken = self._count > 0
        self._count -= taken
        return taken

    def come(self) -> simpy.Event:
        """Return the event that the next one comes; it is then taken."""
        self._waiting = self._env.event()
        return self._waiting


class Machine:
    """The engine of one accelerator, with its memory.

    `run` may be called repeatedly: an engine that is idle is as good as new.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator

    def run(self, instructions: Iterable[Instruction]) -> Run:
        """Execute instructions on an idle engine.

        What follows a fence is dispatched in the cycle that finds the engine idle: every stretch of instructions up to
        a fence is a run of its own, and the runs follow one another without a gap.

        Raises
        ------
        RuntimeError : if the instructions wait for a token that nobody gives.
        """
        spans: list[Span] = []
        cycles = 0
        for stretch in _stretches(instructions):
            spans += (Span(index, cycles + start, cycles + end) for index, start, end in self._stretch(stretch))
            cycles = max(span.end for span in spans) + 1
        return Run(cycles, tuple(spans))

    def _stretch(self, program: list[Instruction]) -> list[Span]:
        """Return the spans of a stretch of instructions, without a fence but at its end."""
        self._env = env = simpy.Environment()
        self._queues: list[deque[Instruction]] = [deque() for _ in UNITS]
        self._filled = [_Counter(env) for _ in UNITS]
        self._room = [_Counter(env, self.accelerator.queue) for _ in UNITS]
        self._tokens = [[_Counter(env) for _ in UNITS] for _ in UNITS]
        self._port = _Port(env)
        self._spans: list[Span] = []
        self._work: tuple[Callable[[Any], Process], ...] = (self._load, self._multiply, self._finish, self._store)
        env.process(self._dispatch(program))
        for index in range(len(UNITS)):
            env.process(self._unit(index))
        env.run()
        if len(self._spans) < len(program):
            raise RuntimeError(f"deadlock: {len(self._spans)} of {len(program)} instructions ended; check their tokens")
        return self._spans

    def _dispatch(self, program: list[Instruction]) -> Process:
        """Hand an instruction to its unit's queue each cycle, in order, waiting where the queue is full."""
        for instruction in program:
            index = unit(instruction)
            room = self._room[index]
            if not room.take():
                yield room.come()
            yield self._env.timeout(1)
            self._queues[index].append(instruction)
            self._filled[index].put()

    def _unit(self, index: int) -> Process:
        """Execute a unit's instructions one after another."""
        env, filled, queue, work = self._env, self._filled[index], self._queues[index], self._work[index]
        while True:
            if not filled.take():
                yield filled.come()
            instruction = queue[0]
            for giver in units(instruction.wait):
                tokens = self._tokens[giver][index]
                if not tokens.take():
                    yield tokens.come()
            start = int(env.now)
            yield from work(instruction)  # up to the last cycle of the instruction
            self._spans.append(Span(index, start, int(env.now)))
            yield env.timeout(1)
            for taker in units(instruction.signal):
                self._tokens[index][taker].put()
            queue.popleft()
            self._room[index].put()

    def _load(self, code: Load) -> Process:
        memory = self.accelerator.memory
        beats = memory.beats(code.offset, code.length)
        yield self._env.timeout(1)
        yield from self._port.hold("load", code.rows, memory.occupied(beats))
        yield self._env.timeout(memory.occupied(beats) + memory.latency - 1)

    def _store(self, code: Store) -> Process:
        memory = self.accelerator.memory
        beats = memory.beats(0, code.length)
        yield self._env.timeout(2)  # the first beat is read before the first request
        yield from self._port.hold("store", code.rows, memory.occupied(beats))
        yield self._env.timeout(memory.occupied(beats) - 1)

    def _multiply(self, code: Multiply) -> Process:
        mode = self.accelerator.pe.modes[code.mode]
        yield self._env.timeout(
            multiply_cycles(self.accelerator, mode, code.rows, code.columns, code.groups, code.steps, code.last_steps)
        )

    def _finish(self, code: Finish) -> Process:
        yield self._env.timeout(finish_cycles(self.accelerator, code.rows, code.columns))


def _stretches(instructions: Iterable[Instruction]) -> Iterator[list[Instruction]]:
    stretch: list[Instruction] = []
    for instruction in instructions:
        stretch.append(instruction)
        if instruction.fence:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


class _Port:
    """The memory port and its arbiter: an instruction holds the port from its first request to its last."""

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._owner: str | None = None
        self._asking: set[str] = set()
        self._released = env.event()
        self._ready = 0  # when the memory can accept the next request

    def hold(self, name: str, requests: int, occupied: int) -> Process:
        """Make `requests` requests, each of which occupies the memory; ends in the cycle after the last is accepted."""
        self._asking.add(name)
        while True:
            if name == "load":
                # The store goes first. Where it asks in this cycle, it does so on a timeout from an earlier one, and a
                # timeout of 0 comes after that.
                yield self._env.timeout(0)
            if self._owner is None and (name == "store" or "store" not in self._asking):
                break
            yield self._released
        self._owner = name
        self._asking.remove(name)
        last = max(int(self._env.now), self._ready) + (requests - 1) * occupied
        self._ready = last + occupied
        yield self._env.timeout(last + 1 - self._env.now)
        self._owner = None
        released, self._released = self._released, self._env.event()
        released.succeed()
