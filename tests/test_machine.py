"""The machine by itself: durations that can be counted by hand, tokens, queues, fences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dyad.models import accelerator
from dyad.models.network import gemm
from dyad.models.pe.output import LATENCY
from dyad.models.program.isa import Finish, Instruction, Load, Multiply, Store, mask
from dyad.models.program.program import compile_layers
from dyad.models.program.timing import finish_cycles, multiply_cycles
from dyad.sim.machine import Machine, Span

from .cases import ODD, product

TINY = accelerator.load("tiny")  # latency 8, a burst overhead of 1, 4 bytes a beat
FINISH = TINY.pe.finish_latency


def spans(*program: Instruction, machine=TINY) -> list[Span]:
    return sorted(Machine(machine).run(program).spans, key=lambda span: (span.end, span.unit))


def test_a_load_alone() -> None:
    # Cycle 0: dispatched. 1: starts. 2: request accepted. 3: overhead. 4 + 8 ... 6 + 8: three beats of 4 bytes.
    assert spans(Load(0, rows=1, length=12, address=0)) == [Span(0, 1, 2 + 1 + 8 + 3)]
    # A run that starts within a beat takes a beat more; a second row its beats and its overhead.
    assert spans(Load(0, rows=2, length=12, address=0, offset=2)) == [Span(0, 1, 2 + 1 + 8 + 4 + 5)]


def test_a_store_alone() -> None:
    # The first beat is read in cycle 2; the request is made in cycle 3, and writes have no latency.
    assert spans(Store(rows=2, length=8, address=0)) == [Span(3, 1, 3 + 1 + 2 + 3)]


def test_the_store_goes_first_where_both_ask_in_one_cycle() -> None:
    load, store = Load(0, rows=4, length=4, address=0), Store(rows=4, length=4, address=0)
    # Dispatched in cycles 0 and 1, a load asks in 2 and a store in 4; dispatched in 1 and 0, in 3 and 3.
    first_load = {span.unit: span for span in spans(load, store)}
    assert first_load[0] == Span(0, 1, 2 + 3 * 2 + 1 + 8 + 1)
    assert first_load[3] == Span(3, 2, 10 + 3 * 2 + 1 + 1)
    first_store = {span.unit: span for span in spans(store, load)}
    assert first_store[3] == Span(3, 1, 3 + 3 * 2 + 1 + 1)
    assert first_store[0] == Span(0, 2, 11 + 3 * 2 + 1 + 8 + 1)


def result(machine) -> int:
    """Cycles from the issue of a step to its sum: scratchpad and operand register, then the stations."""
    return 2 + machine.pe.prepare_latency + machine.pe.dot_latency


def test_a_multiply_is_as_long_as_its_steps_or_its_drains() -> None:
    mode = TINY.pe.modes[0]
    drain = result(TINY) - 1 + FINISH  # from the issue of the last step to the write of the first row, less one
    assert multiply_cycles(TINY, mode, rows=4, columns=1, groups=1, steps=50, last_steps=50) == 50 + drain + 4
    assert multiply_cycles(TINY, mode, rows=1, columns=1, groups=1, steps=50, last_steps=50) == 50 + drain + 1
    assert multiply_cycles(TINY, TINY.pe.modes[2], 4, 1, 1, 50, 50) == 100 + drain + 4
    assert multiply_cycles(TINY, mode, rows=4, columns=1, groups=3, steps=50, last_steps=7) == 100 + drain + 4 + max(
        7, FINISH + 2
    )
    # Segments of one step follow one another as fast as the finish station's latency allows.
    assert (
        multiply_cycles(TINY, mode, rows=8, columns=3, groups=2, steps=1, last_steps=1)
        == 1 + 11 * (FINISH + 2) + drain + 4
    )


def segments(machine, rows: int, columns: int, groups: int, steps: int, last_steps: int, interval: int) -> int:
    """Walk through the segments one by one, as the circuit does."""
    tile, shortest = machine.tile, machine.pe.finish_latency + 2
    now, hold, drained = 0, 0, 0
    for _ in range(columns):
        for first in range(0, rows, tile.m):
            drained = -(-min(tile.m, rows - first) // tile.drain)
            for group in range(groups):
                length = (last_steps if group == groups - 1 else steps) * interval
                now = max(now + length, hold)
                hold = now + max(drained, shortest)
    return now + result(machine) - 1 + drained + machine.pe.finish_latency


@pytest.mark.parametrize("machine", [TINY, ODD, accelerator.load("server")], ids=lambda machine: machine.name)
def test_the_closed_form_equals_a_walk(machine) -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        rows, columns, groups = (int(rng.integers(1, high)) for high in (200, 6, 6))
        steps = int(rng.integers(1, 40))
        last = steps if groups == 1 else int(rng.integers(1, steps + 1))
        for mode in machine.pe.modes[1:3]:
            walked = segments(machine, rows, columns, groups, steps, last, mode.interval)
            assert multiply_cycles(machine, mode, rows, columns, groups, steps, last) == walked


def test_a_finish_takes_a_cycle_for_each_group_of_rows() -> None:
    assert finish_cycles(TINY, rows=9, columns=2) == 2 * 9 + 1 + LATENCY
    assert finish_cycles(ODD, rows=9, columns=2) == 2 * 3 + 1 + LATENCY
    finish = Finish(0, rows=9, columns=2, accumulator=0, parameter=0, output=0, pitch=1)
    assert spans(finish) == [Span(2, 1, 1 + 19 + LATENCY)]


def test_a_token_starts_the_waiting_in_the_next_cycle() -> None:
    load = Load(0, rows=1, length=4, address=0, signal=mask("multiply"))
    multiply = Multiply(0, 4, 1, 1, 9, 9, 0, 0, 0, 0, wait=mask("load"))
    one, other = spans(load, multiply)
    assert other.start == one.end + 1


def test_full_queues_hold_back_the_dispatch() -> None:
    loads = [Load(0, rows=1, length=4, address=0)] * 6
    finish = Finish(0, 1, 1, 0, 0, 0, 1)
    slow, fast = (
        next(span for span in spans(*loads, finish, machine=replace(TINY, queue=queue)) if span.unit == 2)
        for queue in (2, 8)
    )
    assert fast.start == 7
    # With room for two, the sixth load is taken when the fourth has ended, and the finish in the cycle after.
    assert slow.start == spans(*loads)[3].end + 1 + 2


def test_waiting_for_nobody_is_a_deadlock() -> None:
    with pytest.raises(RuntimeError, match="deadlock: 1 of 2 instructions ended"):
        Machine(TINY).run([Load(0, 1, 4, 0), Finish(0, 1, 1, 0, 0, 0, 1, wait=mask("multiply"))])


def test_no_instructions_take_no_cycles() -> None:
    assert Machine(TINY).run([]).cycles == 0


def test_layers_behind_fences_take_the_sum_of_their_cycles() -> None:
    rng = np.random.default_rng(2)
    machine = Machine(TINY)
    layers = [product(rng, TINY.k) for _ in range(3)]
    alone = [machine.run(compile_layers([layer], TINY).instructions) for layer in layers]
    together = machine.run([code for layer in layers for code in compile_layers([layer], TINY).instructions])
    assert together.cycles == sum(run.cycles for run in alone)
    assert together.spans[-1].end == together.cycles - 1


def test_a_faster_memory_is_never_slower() -> None:
    layer = gemm("bound", 40, 64, 40)
    machines = [replace(TINY, memory=replace(TINY.memory, latency=latency)) for latency in (0, 10, 100)]
    cycles = [Machine(machine).run(compile_layers([layer], machine).instructions).cycles for machine in machines]
    assert cycles == sorted(cycles)


def test_busy_cycles_are_those_of_the_spans() -> None:
    run = Machine(TINY).run([Load(0, rows=1, length=12, address=0)])
    assert run.busy("load") == 14 and run.busy("store") == 0
