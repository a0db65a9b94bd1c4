"""The finish unit: accumulators through the output stage into the output buffer."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import exact_log2

from ..models.accelerator import Accelerator
from ..models.program.isa import OUTPUT_BYTES, OUTPUTS, Finish
from ..models.program.widths import widths
from .layouts import UnitSignature
from .output import Output
from .output import output as output_stage

SLICES = 4
"""Parts of a word of the output buffer that are written apart: n bytes each."""


class FinishUnit(wiring.Component):
    """Executes `finish`: a group of rows of a column tile each cycle.

    Ports
    -----
    unit : `UnitSignature`. The first read is in the cycle after `start`; `done` with the last write.
    read : read port of the accumulator buffer, [drain][n] words of 32 bits.
    parameter : read port of the parameter scratchpad, [n] words of 32 bits: b in bits 15..0, c in bits 21..16.
    write : write port of the output buffer, [drain] words of 4 n bytes; `enable` has a bit for each quarter of a word.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        tile, depths = accelerator.tile, accelerator.depths
        columns = data.ArrayLayout(unsigned(32), tile.n)
        totals = data.ArrayLayout(columns, tile.drain)
        words = data.ArrayLayout(unsigned(32 * tile.n), tile.drain)
        super().__init__(
            {
                "unit": Out(UnitSignature(Finish, widths(Finish, accelerator))),
                "read": Out(
                    Signature({"enable": Out(1), "address": Out(range(depths["accumulator"])), "data": In(totals)})
                ),
                "parameter": Out(
                    Signature({"enable": Out(1), "address": Out(range(depths["parameter"])), "data": In(columns)})
                ),
                "write": Out(
                    Signature({"enable": Out(SLICES), "address": Out(range(depths["output"])), "data": Out(words)})
                ),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command, tile = self.unit.command, self._accelerator.tile
        row_groups = tile.m // tile.drain
        log2_bytes = Signal(2)
        with m.Switch(command.format):
            for index, name in enumerate(OUTPUTS):
                with m.Case(index):
                    m.d.comb += log2_bytes.eq(exact_log2(OUTPUT_BYTES[name]))

        # A step for each group of rows, row tile, column tile.
        columns, rows, left = Signal.like(command.columns), Signal.like(command.rows), Signal(range(row_groups + 1))
        accumulator, parameter = Signal.like(command.accumulator), Signal.like(command.parameter)
        word, line, quarter = Signal.like(command.output), Signal.like(command.output), Signal(len(columns) + 2)
        busy = columns != 0

        def groups(rows: Signal) -> Mux:
            return Mux(rows <= tile.m, (rows + (tile.drain - 1)) >> exact_log2(tile.drain), row_groups)

        m.d.comb += [
            self.read.enable.eq(busy),
            self.read.address.eq(accumulator),
            self.parameter.enable.eq(busy),
            self.parameter.address.eq(parameter),
            word.eq(line + (quarter >> 2)),
        ]
        last_row, last_column = rows <= tile.m, columns == 1
        # The accumulators of a row tile take a full tile's words, even where its last rows are missing.
        skipped = Signal.like(left)
        m.d.comb += skipped.eq(Mux(last_row, row_groups - groups(rows), 0))
        with m.If(busy):
            m.d.sync += [left.eq(left - 1), accumulator.eq(accumulator + 1), line.eq(line + command.pitch)]
            with m.If(left == 1):
                following = Mux(last_row, command.rows, rows - tile.m)
                m.d.sync += [
                    rows.eq(following),
                    left.eq(groups(following)),
                    accumulator.eq(accumulator + 1 + skipped),
                ]
                with m.If(last_row):
                    m.d.sync += [
                        columns.eq(columns - 1),
                        parameter.eq(parameter + 1),
                        line.eq(command.output),
                        quarter.eq(quarter + (1 << log2_bytes)),
                    ]
        with m.If(self.unit.start):
            m.d.sync += [
                columns.eq(command.columns),
                rows.eq(command.rows),
                left.eq(groups(command.rows)),
                accumulator.eq(command.accumulator),
                parameter.eq(command.parameter),
                line.eq(command.output),
                quarter.eq(0),
            ]

        layout = data.StructLayout({"valid": 1, "word": 20, "enable": SLICES, "final": 1})
        stages = [Signal(layout, name=f"stage_{index}") for index in range(Output.latency + 1)]
        width = Signal(SLICES)  # a bit for each byte of a result
        m.d.comb += width.eq((1 << (1 << log2_bytes)) - 1)
        m.d.sync += [
            stages[0].valid.eq(busy),
            stages[0].word.eq(word),
            stages[0].enable.eq(width << quarter[:2]),
            stages[0].final.eq((left == 1) & last_row & last_column),
        ]
        m.d.sync += [after.eq(before) for before, after in pairwise(stages)]
        for d in range(tile.drain):
            values = []
            for column in range(tile.n):
                m.submodules[f"output_{d}_{column}"] = output = output_stage(self._accelerator.pe)
                m.d.comb += [
                    output.accumulator.eq(self.read.data[d][column]),
                    output.floating.eq(command.floating),
                    output.relu.eq(command.relu),
                    output.multiplier.eq(self.parameter.data[column][:16]),
                    output.shift.eq(self.parameter.data[column][16:22]),
                    output.format.eq(command.format),
                ]
                values.append(output.value)
            with m.Switch(log2_bytes):
                for exponent in range(3):
                    bits = 8 << exponent
                    with m.Case(exponent):
                        packed = Cat(value[:bits] for value in values)
                        m.d.comb += self.write.data[d].eq(packed.replicate(32 // bits))
        m.d.comb += [
            self.write.enable.eq(Mux(stages[-1].valid, stages[-1].enable, 0)),
            self.write.address.eq(stages[-1].word),
            self.unit.done.eq(stages[-1].valid & stages[-1].final),
        ]
        return m
