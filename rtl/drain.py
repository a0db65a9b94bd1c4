"""The multiply unit's drain half: takes the cells' sums through the finish station into the accumulator buffer."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature

from ..models.accelerator import Accelerator
from .multiply import SEGMENT
from .pe import stations
from .rounding import delay

_ROW = data.StructLayout({"valid": 1, "address": 20, "final": 1})


class Drain(wiring.Component):
    """Drains a segment, `drain` rows a cycle, starting when its sums appear, `timing.result_cycles` after its issue.

    Ports
    -----
    segment : as in `Issue`, seen from the other side. `ready` is low for max(row_groups, finish latency + 2) cycles
        from the cycle after `valid`, less one: then the next segment's results may overwrite this one's, and its
        totals read what this one's have written.
    parameter : read port of the parameter scratchpad, [n] words of 32 bits. Word of scales and zero points: fp16 in
        bits 15..0, zero point in bits 24..16.
    row : out, the group of rows that the tile is to show.
    results, sums : in, the tile's, in the same cycle.
    read : read port of the accumulator buffer, [drain][n] words of 32 bits.
    write : write port of the accumulator buffer.
    done : out, for one cycle, the one in which the last total of the instruction's last segment is written.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._stations = stations(accelerator.pe)
        tile = accelerator.tile
        depths = accelerator.depths
        columns = data.ArrayLayout(unsigned(32), tile.n)
        totals = data.ArrayLayout(columns, tile.drain)
        accumulator = range(depths["accumulator"])
        super().__init__(
            {
                "segment": In(Signature({"valid": Out(1), "ready": In(1), "payload": Out(SEGMENT)})),
                "parameter": Out(
                    Signature({"enable": Out(1), "address": Out(range(depths["parameter"])), "data": In(columns)})
                ),
                "row": Out(range(max(tile.m // tile.drain, 2))),
                "results": In(data.ArrayLayout(data.ArrayLayout(self._stations.result, tile.n), tile.drain)),
                "sums": In(data.ArrayLayout(self._stations.sum, tile.drain)),
                "read": Out(Signature({"enable": Out(1), "address": Out(accumulator), "data": In(totals)})),
                "write": Out(Signature({"enable": Out(1), "address": Out(accumulator), "data": Out(totals)})),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        tile, latency = self._accelerator.tile, self._accelerator.pe.finish_latency
        columns = self.parameter.data.shape()

        # Two segments follow one another at least this many cycles apart.
        shortest = latency + 2
        hold = Signal(range(max(tile.m // tile.drain, shortest)))
        m.d.comb += self.segment.ready.eq(hold == 0)
        groups = self.segment.payload.row_groups
        with m.If(self.segment.valid):
            m.d.sync += hold.eq(Mux(groups > shortest, groups, shortest) - 1)
        with m.Elif(hold != 0):
            m.d.sync += hold.eq(hold - 1)

        # Cycle 0 is that of `valid`, or as much later as the results of this processing element take longer than one
        # cycle. The bias is read in cycle 0, scales and zero points in cycle 1.
        latched, active = Signal(SEGMENT), Signal(SEGMENT)
        started = Signal(3)
        with m.If(self.segment.valid):
            m.d.sync += latched.eq(self.segment.payload)
        late = self._accelerator.pe.prepare_latency + self._accelerator.pe.dot_latency - 1
        start, opened = delay(m, self.segment.valid, late), latched if late else self.segment.payload
        m.d.sync += started.eq(started << 1 | start)
        m.d.comb += [
            self.parameter.enable.eq(start | started[0]),
            self.parameter.address.eq(Mux(start, opened.bias, latched.parameter)),
        ]
        early, bias, factors = Signal(columns), Signal(columns), Signal(columns)
        unit = Cat(Const(self._accelerator.pe.unit_scale, 32) for _ in range(tile.n))
        with m.If(started[0]):
            m.d.sync += [early.eq(self.parameter.data), active.eq(latched)]
        with m.If(started[1]):
            m.d.sync += [
                bias.eq(Mux(active.biased, early, 0)),
                factors.eq(Mux(active.parameters, self.parameter.data, unit)),
            ]

        # From cycle 2 on: read the totals before, a group of rows each cycle.
        left, row, address = Signal(range(tile.m // tile.drain + 1)), Signal.like(self.row), Signal(20)
        with m.If(started[0]):
            m.d.sync += [left.eq(latched.row_groups), row.eq(0), address.eq(latched.accumulator)]
        with m.Elif(left != 0):
            m.d.sync += [left.eq(left - 1), row.eq(row + 1), address.eq(address + 1)]
        m.d.comb += [self.read.enable.eq(left != 0), self.read.address.eq(address)]

        # From cycle 3 on: the sums of the same rows enter the finish stations.
        stages = [Signal(_ROW, name=f"stage_{index}") for index in range(latency + 1)]
        mode, fresh, scaled = Signal(4), Signal(), Signal()
        m.d.sync += [
            self.row.eq(row),
            fresh.eq(active.first),
            scaled.eq(active.scaled),
            mode.eq(active.mode),
            stages[0].valid.eq(left != 0),
            stages[0].address.eq(address),
            stages[0].final.eq(active.final & (left == 1)),
        ]
        m.d.sync += [after.eq(before) for before, after in pairwise(stages)]
        for d in range(tile.drain):
            for column in range(tile.n):
                m.submodules[f"finish_{d}_{column}"] = finish = self._stations.Finish()
                m.d.comb += [
                    finish.mode.eq(mode),
                    finish.accumulator.eq(self.results[d][column]),
                    finish.activation_sum.eq(self.sums[d]),
                    finish.zero_point.eq(factors[column][16:25].as_signed()),
                    finish.scale.eq(factors[column][:16]),
                    finish.scaled.eq(scaled),
                    finish.base.eq(Mux(fresh, bias[column], self.read.data[d][column])),
                    self.write.data[d][column].eq(finish.total),
                ]
        m.d.comb += [
            self.write.enable.eq(stages[-1].valid),
            self.write.address.eq(stages[-1].address),
            self.done.eq(stages[-1].valid & stages[-1].final),
        ]
        return m
