# amaranth: UnusedElaboratable=no
"""Every proof holds, and fails once its bug is planted; the harness itself is no easier to satisfy than it should."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from amaranth.hdl import Signal

from dyad.hw import formal
from dyad.hw.formal import BOUNDED, PROVEN, REFUTED, UNDECIDED, Problem, ProofError
from dyad.models import accelerator
from dyad.models.errors import InputError
from dyad.models.program.isa import UNITS, unit, units
from dyad.rtl.dispatch import TOKEN_BITS
from dyad.tests.formal import (  # noqa: F401 (they enter their proofs)
    arithmetic,
    cells,
    handshakes,
    link,
    posit_cells,
    posits,
    rounding,
)
from dyad.tests.formal.catalog import PROOFS, markdown

README = Path(__file__).with_name("README.md")

pytestmark = [
    pytest.mark.formal,
    pytest.mark.skipif(not formal.installed(), reason='needs pip install "dyad[formal]"'),
]


def cases():
    return [pytest.param(name, marks=[pytest.mark.slow] if each.slow else []) for name, each in PROOFS.items()]


@pytest.mark.parametrize("name", cases())
def test_proof_holds(name):
    each = PROOFS[name]
    outcome = formal.prove(each.build(), name, each.depth, unbounded=each.unbounded, solver=each.solver, timeout=1800)
    assert outcome.verdict == (PROVEN if each.unbounded else BOUNDED), outcome


@pytest.mark.slow
@pytest.mark.parametrize("name", PROOFS)
def test_planted_bug_is_found(name):
    each = PROOFS[name]
    with each.bug.planted():
        outcome = formal.prove(each.build(), name, each.depth, unbounded=each.unbounded, solver=each.solver)
    assert outcome.verdict == REFUTED, outcome
    assert outcome.trace.read_text().startswith("$")
    assert "/tests/formal/" in outcome.place


def counter(limit):
    """A counter that an arbitrary input advances, below `limit`."""
    p = Problem()
    count, go = Signal(4, name="count"), p.arbitrary(1, "go")
    p.m.d.sync += count.eq(count + go)
    p.show(count < limit)
    return p


def test_verdicts():
    assert formal.prove(counter(5), "counter", 5, unbounded=False).verdict == BOUNDED
    assert formal.prove(counter(5), "counter", 6, unbounded=False).verdict == REFUTED
    assert formal.prove(counter(9), "counter", 3, unbounded=True).verdict == UNDECIDED
    assert formal.prove(counter(16), "counter", 1, unbounded=True).verdict == PROVEN
    assert formal.prove(counter(5), "counter", 6, unbounded=False, timeout=0).verdict == UNDECIDED


def test_assumptions_that_contradict_one_another_prove_nothing():
    p = counter(5)
    go = p.arbitrary(1, "other")
    p.given(go & ~go)
    with pytest.raises(ProofError, match=r"log: .*logfile\.txt"):
        formal.prove(p, "contradiction", 6, unbounded=False)


@pytest.mark.parametrize(("different", "verdict"), [(False, BOUNDED), (True, REFUTED)])
def test_constants_do_not_change_but_may_be_anything(different, verdict):
    p = Problem()
    number, before, started = p.constant(4, "number"), Signal(4), Signal()
    p.m.d.sync += [before.eq(number), started.eq(1)]
    p.show(number != 7 if different else ~started | (number == before))
    assert formal.prove(p, "constant", 4, unbounded=False).verdict == verdict


def test_a_signal_that_is_not_there_is_no_arbitrary_one():
    p = counter(16)
    p.show(p.inside(1, "nowhere.count") == 0)
    with pytest.raises(ProofError, match=r"ERROR: .*nowhere\.count"):
        formal.prove(p, "nowhere", 1, unbounded=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": "yice"}, "unknown solver 'yice'; did you mean yices"),
        ({"depth": 0}, "depth = 0: a proof looks at 1 cycle at least"),
    ],
)
def test_prove_refuses(options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        formal.prove(counter(5), "counter", **{"depth": 1, "unbounded": False} | options)


def test_missing_solver_is_named(monkeypatch):
    monkeypatch.setitem(formal.SOLVERS, "yices", "no-such-solver")
    with pytest.raises(InputError, match=r"no-such-solver is not installed; get it with pip install"):
        formal.prove(counter(5), "counter", 1, unbounded=False)


def test_programs_keep_within_the_budget_of_tokens(digits_program):
    """What `tokens_never_overflow` assumes, with the queues of the accelerators that come with dyad."""
    queue = max(accelerator.load(name).queue for name in accelerator.names())
    _, program, _ = digits_program
    balance, most = Counter(), 0
    for instruction in program.instructions:
        own = unit(instruction)
        balance.update((own, to) for to in units(instruction.signal))
        balance.subtract((giver, own) for giver in units(instruction.wait))
        most = max(most, *balance.values(), 0)
    assert 0 < most <= (1 << TOKEN_BITS) - 1 - queue
    assert {index for pair in balance for index in pair} == set(range(len(UNITS)))


def test_the_table_is_that_of_the_code():
    assert markdown() in README.read_text(encoding="utf-8"), "replace the table by what catalog.markdown() returns"
