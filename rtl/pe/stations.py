"""What every processing element's circuit offers: three stations, and the bundle that steps them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from amaranth.hdl import ShapeLike, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Member, Out

from ...models.pe import PE

STEP = data.StructLayout({"valid": 1, "first": 1, "last": 1, "mode": 4, "plane": 3, "phase": 3, "header": 1})
"""What the operands are, in the cycle in which they are there.

valid : there are operands; in a cycle without, nothing changes and the other fields do not matter.
first : they start a segment, and the accumulators start from 0.
last : they end it; the results then show its sums, until they show those of the next segment.
mode : which of the processing element's modes they are in, the same for a whole segment.
plane : which plane of the weights this is, counted from the least significant. The planes of a step follow one
    another, with the same activations; `first` goes with the first of them, `last` with the last.
phase : which of the cycles for which this plane stays; of a word that has the weights of several steps, which step.
header : there are no operands (`valid` is 0) but words of what comes before a segment, of the number `plane`. These
    cycles directly precede the segment's first; rows and columns disregard words beyond those that their mode has.
"""


class Stations(NamedTuple):
    """Constructors of the circuits of a processing element, without arguments.

    PrepareRow : one for each row of a tile. Ports `step`, `activations`, `operand`, `sum`.
    PrepareColumn : one for each column. Ports `step`, `weights`, `operand`.
    Dot : one for each cell. Ports `step`, `row`, `column`, `result`: the operands of its row and column, and what it
        sums of them.
    Finish : one for each column and drained row. Ports `mode`, `accumulator`, `activation_sum`, `zero_point`, `scale`,
        `scaled`, `base`, `total`.

    `result` and `sum` are the shapes of what a cell and what a row results in.

    Operands take the description's `prepare_latency` from the tile to the cells, results `dot_latency` from there, and
    totals `finish_latency` from the finish station's inputs. The `sum` of a row appears together with its results.
    """

    PrepareRow: Callable[[], wiring.Component]
    PrepareColumn: Callable[[], wiring.Component]
    Dot: Callable[[], wiring.Component]
    Finish: Callable[[], wiring.Component]
    result: ShapeLike
    sum: ShapeLike


def row_ports(pe: PE, operand: ShapeLike, sum: ShapeLike) -> dict[str, Member]:
    """Return the ports of a station that prepares the operands of a row."""
    return {
        "step": In(STEP),
        "activations": In(pe.activation_bits * pe.lanes),
        "operand": Out(operand),
        "sum": Out(sum),
    }


def column_ports(pe: PE, operand: ShapeLike) -> dict[str, Member]:
    """Return the ports of a station that prepares the operands of a column."""
    return {"step": In(STEP), "weights": In(pe.plane_bits * pe.lanes), "operand": Out(operand)}


def dot_ports(row: ShapeLike, column: ShapeLike, result: ShapeLike) -> dict[str, Member]:
    """Return the ports of a cell."""
    return {"step": In(STEP), "row": In(row), "column": In(column), "result": Out(result)}


def finish_ports(result: ShapeLike, sum: ShapeLike) -> dict[str, Member]:
    """Return the ports of a finish station: results of a cell and a row, factors, the total before and after."""
    return {
        "mode": In(4),
        "accumulator": In(result),
        "activation_sum": In(sum),
        "zero_point": In(signed(9)),
        "scale": In(16),
        "scaled": In(1),
        "base": In(32),
        "total": Out(32),
    }
