# amaranth: UnusedElaboratable=no
"""No word of a buffer is used that was read in the cycle in which it was written: RAM of FPGAs need not allow it."""

from __future__ import annotations

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.memory import Memory

from dyad.analysis.cases import random_cases
from dyad.analysis.crosscheck import check
from dyad.models import accelerator
from dyad.rtl import engine, scratchpad


class Colliding(Memory):
    """A memory that gives the complement of a word that is read in the cycle in which any of it is written."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = inner = Memory(shape=self.shape, depth=self.depth, init=self.init)
        for port in self.write_ports:
            write = inner.write_port(granularity=port.signature.granularity)
            m.d.comb += [write.en.eq(port.en), write.addr.eq(port.addr), write.data.eq(port.data)]
        for port in self.read_ports:
            read, collided = inner.read_port(), Signal()
            m.d.comb += [read.en.eq(port.en), read.addr.eq(port.addr)]
            with m.If(port.en):
                same = Cat(write.en.any() & (write.addr == port.addr) for write in self.write_ports)
                m.d.sync += collided.eq(same.any())
            m.d.comb += port.data.eq(read.data ^ collided.replicate(len(read.data)))
        return m


@pytest.mark.parametrize("name", ["icebreaker", pytest.param("tiny", marks=pytest.mark.slow)])
def test_the_engine_reads_no_word_while_it_is_written(name, monkeypatch):
    for module in (engine, scratchpad):
        monkeypatch.setattr(module, "Memory", Colliding)
    verdicts = check(list(random_cases(accelerator.load(name), 18, seed=5, largest=60)))
    assert [verdict.report() for verdict in verdicts if not verdict.agrees] == []
