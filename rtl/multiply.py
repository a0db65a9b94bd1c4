"""The multiply unit's issue half: walks through the steps of a block and reads their operands."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import exact_log2

from ..models.accelerator import Accelerator
from ..models.program.isa import Multiply
from ..models.program.widths import widths
from .layouts import UnitSignature
from .pe import STEP

SEGMENT = data.StructLayout(
    {
        "mode": 4,
        "accumulator": 20,
        "parameter": 20,
        "bias": 20,
        "row_groups": 16,
        "first": 1,
        "biased": 1,
        "parameters": 1,
        "scaled": 1,
        "final": 1,
    }
)
"""What the drain has to know of a segment.

mode : as in the instruction. accumulator : first word of its results. parameter, bias : words of the parameter
scratchpad. row_groups : groups of rows to drain. first, biased, parameters, scaled : as in the instruction; `first`
only in the first segment of a tile's reduction. final : it is the instruction's last segment.
"""


class Issue(wiring.Component):
    """Issues a step each cycle; holds the last step of a segment back until the drain can take its results.

    Ports
    -----
    start, command : as in `UnitSignature`. The first step is issued in the cycle after `start`.
    read : `enable` out; `activation` out, in steps of k activations; `weight` out, in words.
    step : out, `STEP`, in the cycle of the read.
    segment : `valid` out with the last step of a segment, `payload` out, `SEGMENT`; `ready` in, last steps may be
        issued.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        unit = UnitSignature(Multiply, widths(Multiply, accelerator)).members
        super().__init__(
            {
                "start": unit["start"],
                "command": unit["command"],
                "read": Out(Signature({"enable": Out(1), "activation": Out(24), "weight": Out(24)})),
                "step": Out(STEP),
                "segment": Out(Signature({"valid": Out(1), "ready": In(1), "payload": Out(SEGMENT)})),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command, tile, modes = self.command, self._accelerator.tile, self._accelerator.pe.modes
        row_groups = tile.m // tile.drain
        planes = Array(mode.planes for mode in modes)[command.mode]
        phases = Array(mode.phases * mode.steps for mode in modes)[command.mode]
        shared = Array(int(mode.steps > 1) for mode in modes)[command.mode]  # words of weights last for several steps
        row_header = Array(mode.row_header for mode in modes)[command.mode]
        column_header = Array(mode.column_header for mode in modes)[command.mode]

        # The place in the loop nest: column tile, row tile, segment, step, plane.
        columns, rows = Signal.like(command.columns), Signal.like(command.rows)
        groups, steps, plane, phase = Signal.like(command.groups), Signal.like(command.steps), Signal(3), Signal(3)
        activation, row_start = Signal.like(command.activation), Signal.like(command.activation)
        weight, column_start = Signal.like(command.weight), Signal.like(command.weight)
        parameter, column_parameter = Signal.like(command.parameter), Signal.like(command.parameter)
        bias, accumulator = Signal.like(command.bias), Signal.like(command.accumulator)

        opening, issue = Signal(), Signal()  # opening: the next step is a segment's first
        word, heading = Signal(3), Signal()  # heading: words of a header come first
        last_phase = phase == phases - 1
        last_plane = (plane == planes - 1) & (last_phase | shared)
        last_step = (steps == 1) & last_plane & ~heading
        last_group, last_row, last_column = groups == 1, rows <= tile.m, columns == 1
        m.d.comb += [
            heading.eq(opening & ((word < row_header) | (word < column_header))),
            issue.eq((columns != 0) & (~last_step | self.segment.ready)),
            self.read.enable.eq(issue),
            self.read.activation.eq(activation),
            self.read.weight.eq(weight),
            self.step.valid.eq(issue & ~heading),
            self.step.header.eq(issue & heading),
            self.step.first.eq(opening),
            self.step.last.eq(last_step),
            self.step.mode.eq(command.mode),
            self.step.plane.eq(Mux(heading, word, plane)),
            self.step.phase.eq(phase),
            self.segment.valid.eq(issue & last_step),
        ]
        segment = self.segment.payload
        m.d.comb += [
            segment.mode.eq(command.mode),
            segment.accumulator.eq(accumulator),
            segment.parameter.eq(parameter),
            segment.bias.eq(bias),
            segment.row_groups.eq(Mux(last_row, (rows + (tile.drain - 1)) >> exact_log2(tile.drain), row_groups)),
            segment.first.eq(command.first & (groups == command.groups)),
            segment.biased.eq(command.biased),
            segment.parameters.eq(command.parameters),
            segment.scaled.eq(command.scaled),
            segment.final.eq(last_group & last_row & last_column),
        ]

        with m.If(issue & heading):
            m.d.sync += [
                word.eq(word + 1),
                activation.eq(activation + (word < row_header)),
                weight.eq(weight + (word < column_header)),
            ]
        with m.Elif(issue):
            m.d.sync += [word.eq(0), phase.eq(Mux(last_phase, 0, phase + 1)), opening.eq(last_step)]
            with m.If(last_phase):
                m.d.sync += [weight.eq(weight + 1), plane.eq(Mux(last_plane, 0, plane + 1))]
            with m.If(last_plane):
                m.d.sync += [activation.eq(activation + 1), steps.eq(steps - 1)]
        with m.If(issue & last_step):
            m.d.sync += [
                groups.eq(groups - 1),
                steps.eq(Mux(groups == 2, command.last_steps, command.steps)),
                parameter.eq(parameter + 1),
            ]
            with m.If(last_group):
                m.d.sync += [
                    groups.eq(command.groups),
                    steps.eq(Mux(command.groups == 1, command.last_steps, command.steps)),
                    phase.eq(0),
                    accumulator.eq(accumulator + row_groups),
                    rows.eq(Mux(last_row, command.rows, rows - tile.m)),
                ]
                with m.If(last_row):
                    m.d.sync += [
                        columns.eq(columns - 1),
                        activation.eq(command.activation),
                        row_start.eq(command.activation),
                        weight.eq(weight + 1),
                        column_start.eq(weight + 1),
                        column_parameter.eq(parameter + 1),
                        bias.eq(bias + 1),
                    ]
                with m.Else():
                    m.d.sync += [
                        activation.eq(row_start + command.pitch),
                        row_start.eq(row_start + command.pitch),
                        weight.eq(column_start),
                        parameter.eq(column_parameter),
                    ]
        with m.If(self.start):
            m.d.sync += [
                columns.eq(command.columns),
                rows.eq(command.rows),
                groups.eq(command.groups),
                steps.eq(Mux(command.groups == 1, command.last_steps, command.steps)),
                plane.eq(0),
                opening.eq(1),
                activation.eq(command.activation),
                row_start.eq(command.activation),
                weight.eq(command.weight),
                column_start.eq(command.weight),
                parameter.eq(command.parameter),
                column_parameter.eq(command.parameter),
                bias.eq(command.bias),
                accumulator.eq(command.accumulator),
            ]
        return m
