# amaranth: UnusedElaboratable=no
"""Proofs of the rules on the engine's ports: a stream's offer stands until it is taken; a unit is started when idle."""

from __future__ import annotations

from collections.abc import Iterator

from amaranth.hdl import Cat, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component

from dyad.hw.formal import Problem
from dyad.models.program.isa import UNITS
from dyad.rtl import dispatch, load, port, store
from dyad.rtl.layouts import HEADER_LAYOUT
from dyad.tests.formal.catalog import Bug, proof

BEAT = 4


def stands(p: Problem, valid: Value, ready: Value, *offered: Value) -> Value:
    """Return whether an offer that was not taken in the cycle before still stands, with the same payload."""
    now = Cat(Value.cast(value) for value in offered)
    before, waiting = Signal.like(now), Signal()
    p.m.d.sync += [before.eq(now), waiting.eq(valid & ~ready)]
    return ~waiting | (valid & (now == before))


def drive(p: Problem, start: Value, command: Value, done: Value) -> Value:
    """Assume `UnitSignature`'s rules of `start` and `command`; return whether the unit is at work, start included."""
    working, before = Signal(), Signal.like(command)
    p.given(~(working & start))
    p.given(~working | (command == before))
    p.m.d.sync += [working.eq((working | start) & ~done), before.eq(command)]
    return working | start


def owed(p: Problem, accepted: Value, beats: Value, moved: Value) -> Signal:
    """Return the beats of requests accepted in earlier cycles that have not moved yet."""
    count = Signal(48)
    p.m.d.sync += count.eq(count + Mux(accepted, beats, 0) - moved)
    return count


def _unit(p: Problem, unit: Component) -> Value:
    """Drive a transfer unit with arbitrary commands of at least one byte; return its accepted requests' condition."""
    p.m.submodules.unit = unit
    command = p.arbitrary(unit.unit.command.shape(), "command")
    start, ready = p.arbitrary(1, "start"), p.arbitrary(1, "request_ready")
    p.m.d.comb += [unit.unit.start.eq(start), unit.unit.command.eq(command), unit.request.ready.eq(ready)]
    p.given((command.rows != 0) & (command.length != 0))
    at_work = drive(p, start, command.as_value(), unit.unit.done)
    request = unit.request
    p.show(stands(p, request.valid, ready, request.payload, unit.last))
    p.show(at_work | ~(request.valid | unit.unit.done))
    return request.valid & ready


@proof(10, Bug(load, "self.request.valid & self.request.ready", "self.request.valid"), unbounded=False)
def load_requests() -> Problem:
    """`LoadUnit.request` stands until taken, and only while the unit works.

    Given: commands of at least a byte; memory gives the beats of a request after it has accepted it, whenever it likes.
    """
    p, unit = Problem(), load.LoadUnit((4, 1, 1), BEAT)
    accepted = _unit(p, unit)
    beat = p.arbitrary(1, "read_valid")
    p.m.d.comb += unit.read.valid.eq(beat)
    p.given(~beat | (owed(p, accepted, unit.request.payload.beats, beat) != 0))
    return p


@proof(
    10,
    Bug(store, "queue.level + arriving < AHEAD", "queue.level < AHEAD"),
    unbounded=False,
    slow=True,
    solver="z3",
)
def store_requests_and_beats() -> Problem:
    """`StoreUnit.request` and `.write` stand until taken, requests while it works; no more beats than fit are read.

    Given: commands of at least a byte; memory takes the beats of a request after it has accepted it, whenever it likes.
    """
    p, unit = Problem(), store.StoreUnit(2, 2 * BEAT, 16, BEAT)
    accepted = _unit(p, unit)
    ready, word = p.arbitrary(1, "write_ready"), p.arbitrary(unit.read.data.shape(), "word")
    p.m.d.comb += [unit.write.ready.eq(ready), unit.read.data.eq(word)]
    taken = unit.write.valid & ready
    p.given(~ready | (owed(p, accepted, unit.request.payload.beats, taken) != 0))
    p.show(stands(p, unit.write.valid, ready, unit.write.payload))
    ahead = Signal(8)
    p.m.d.sync += ahead.eq(ahead + unit.read.enable - taken)
    p.show(ahead <= store.AHEAD)
    return p


def _arbiter(p: Problem) -> tuple[port.Arbiter, Value]:
    p.m.submodules.arbiter = arbiter = port.Arbiter()
    ready = p.arbitrary(1, "ready")
    p.m.d.comb += arbiter.request.ready.eq(ready)
    for stream, last, name in ((arbiter.load, arbiter.load_last, "load"), (arbiter.store, arbiter.store_last, "store")):
        valid, payload = p.arbitrary(1, f"{name}_valid"), p.arbitrary(stream.payload.shape(), f"{name}_payload")
        final = p.arbitrary(1, f"{name}_final")
        p.m.d.comb += [stream.valid.eq(valid), stream.payload.eq(payload), last.eq(final)]
        p.given(stands(p, valid, stream.ready, payload, final))
    return arbiter, ready


@proof(2, Bug(port, "Mux(locked, owner, self.store.valid)", "self.store.valid"))
def arbiter_requests() -> Problem:
    """`Arbiter.request` stands until taken; what is taken from it is what is taken from one of the two units.

    Given: the units' requests stand until taken.
    """
    p = Problem()
    arbiter, ready = _arbiter(p)
    request = arbiter.request
    p.show(stands(p, request.valid, ready, request.payload))
    taken = [stream.valid & stream.ready for stream in (arbiter.load, arbiter.store)]
    p.show(taken[0] + taken[1] == (request.valid & ready))
    for stream, moves in zip((arbiter.load, arbiter.store), taken, strict=True):
        p.show(~moves | (stream.payload.as_value() == request.payload.as_value()))
    return p


@proof(16, Bug(port, "locked.eq(~(self.request.ready & last))", "locked.eq(~self.request.ready)"), unbounded=False)
def arbiter_turns() -> Problem:
    """A unit whose request the arbiter has passed on keeps the port until its last one is taken.

    Given: the units' requests stand until taken.
    """
    p = Problem()
    arbiter, _ = _arbiter(p)
    kept = [Signal(name=f"kept_{name}") for name in ("load", "store")]
    ends = (arbiter.load, arbiter.load_last), (arbiter.store, arbiter.store_last)
    for (stream, last), keeps, other in zip(ends, kept, reversed(kept), strict=True):
        moves = stream.valid & stream.ready
        with p.m.If(moves):
            p.m.d.sync += keeps.eq(~last)
        p.show(~(moves & other))
    return p


class _Units:
    """Dispatch with units that take any time for their instructions; only headers matter, the rest is 0 if `narrow`."""

    def __init__(self, p: Problem, depth: int, narrow: bool) -> None:
        p.m.submodules.dispatch = self.dispatch = unit = dispatch.Dispatch(depth)
        self.valid = p.arbitrary(1, "valid")
        bits = HEADER_LAYOUT.size if narrow else len(unit.instructions.payload)
        instruction = p.arbitrary(bits, "instruction")
        self.header = data.View(HEADER_LAYOUT, instruction[: HEADER_LAYOUT.size])
        p.m.d.comb += [unit.instructions.valid.eq(self.valid), unit.instructions.payload.eq(instruction)]
        self.accepted = self.valid & unit.instructions.ready
        self.working = [Signal(name=f"{name}_works") for name in UNITS]
        for name, each, working in zip(UNITS, unit.unit, self.working, strict=True):
            done = p.arbitrary(1, f"{name}_done")
            p.m.d.comb += each.done.eq(done)
            p.given(~done | working)
            p.m.d.sync += working.eq((working | each.start) & ~done)

    def tokens(self) -> Iterator[tuple[int, int, Value, Value]]:
        """Yield for every two units f, t: whether t takes a token of f in this cycle, and whether f leaves one."""
        headers = [data.View(HEADER_LAYOUT, unit.command[: HEADER_LAYOUT.size]) for unit in self.dispatch.unit]
        for f, giver in enumerate(self.dispatch.unit):
            for t, taker in enumerate(self.dispatch.unit):
                yield f, t, taker.start & headers[t].wait[f], giver.done & headers[f].signal[t]


@proof(10, Bug(dispatch, "queue.r_en.eq(unit.done)", "queue.r_en.eq(unit.start)"), unbounded=False, slow=True)
def dispatch_commands() -> Problem:
    """`Dispatch` starts idle units only, and their command stays from the start until they are done.

    Given: a unit is done only after it was started.
    """
    p = Problem()
    units = _Units(p, 2, narrow=False)
    for unit, working in zip(units.dispatch.unit, units.working, strict=True):
        before = Signal.like(unit.command)
        p.m.d.sync += before.eq(unit.command)
        p.show(~(working & unit.start))
        p.show(~working | (unit.command == before))
    return p


@proof(2, Bug(dispatch, "~fenced | self.idle", "~fenced | ~queues[-1].r_rdy"))
def dispatch_fences() -> Problem:
    """After an instruction with `fence`, `Dispatch` takes none before all queues are empty.

    Given: a unit is done only after it was started.
    """
    p = Problem()
    units = _Units(p, 2, narrow=True)
    fenced = Signal()
    with p.m.If(units.accepted):
        p.m.d.sync += fenced.eq(units.header.fence)
    p.show(~(fenced & units.accepted) | units.dispatch.idle)
    p.show(fenced == p.inside(1, "dispatch.fenced"))
    return p


@proof(4, Bug(dispatch, "tokens[f][t] + given - taken", "tokens[f][t] + given - unit.start"))
def tokens_never_underflow() -> Problem:
    """A unit starts only where the tokens that it waits for are there, and takes one of each.

    Given: a unit is done only after it was started.
    """
    p = Problem()
    units = _Units(p, 2, narrow=True)
    for f, t, taken, given in units.tokens():
        tokens = p.inside(dispatch.TOKEN_BITS, f"dispatch.{UNITS[f]}_to_{UNITS[t]}")
        before, balance = Signal.like(tokens), Signal(signed(3))
        p.m.d.sync += [before.eq(tokens), balance.eq(given - taken)]
        started = Signal(name=f"started_{f}_{t}")
        p.m.d.sync += started.eq(1)
        p.show(~taken | (tokens != 0))
        p.show(~started | (tokens == (before + balance)[: dispatch.TOKEN_BITS]))
    return p


def _budget(p: Problem, units: _Units, most: int) -> None:
    """Assume that no prefix of the program leaves more than `most` tokens that nobody waits for."""
    for f, name in enumerate(UNITS):
        for t, to in enumerate(UNITS):
            balance = Signal(signed(8), name=f"balance_{name}_{to}")
            opcode, header = units.header.opcode, units.header
            left = units.accepted & (opcode == f) & header.signal[t]
            awaited = units.accepted & (opcode == t) & header.wait[f]
            p.m.d.sync += balance.eq(balance + left - awaited)
            p.given(balance <= most)


@proof(12, Bug(dispatch, "depth=self._depth)", "depth=self._depth + 1)"), unbounded=False, slow=True)
def tokens_never_overflow() -> Problem:
    """No counter of tokens holds more than a queue has instructions and the program leaves over: 2 + 1 here.

    Given: a unit is done only after it was started; no prefix of the program leaves more than 1 token from one unit to
    another that nobody in it waits for.
    """
    p = Problem()
    units = _Units(p, 2, narrow=True)
    _budget(p, units, 1)
    for f, t, taken, given in units.tokens():
        tokens = Signal(signed(6), name=f"tokens_{f}_{t}")
        p.m.d.sync += tokens.eq(tokens + given - taken)
        p.show((tokens >= 0) & (tokens <= 3))
    return p
