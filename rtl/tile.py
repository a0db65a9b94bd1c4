"""The tile: m x n cells of one processing element, and the sums that the cells of a row share."""

from __future__ import annotations

from amaranth.hdl import Array, Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..models.errors import InputError
from ..models.pe import PE
from .pe import STEP, stations
from .rounding import delay


class Tile(wiring.Component):
    """Multiplies m rows of activations with n columns of weights; every operand reaches its row or column at once.

    Parameters
    ----------
    pe : description of the processing element.
    m, n : rows and columns of cells.
    drain : rows of results that are read together; it divides m.

    Ports
    -----
    step : in, `STEP`, with its rules, for all cells alike.
    activations : in, m * lanes * activation_bits; row r, lane l at element r * lanes + l.
    weights : in, n * lanes * plane_bits; column c, lane l at element c * lanes + l.
    drain_row : in, index of the rows to read: drain_row * drain + d for d in 0..drain - 1.
    results : out, [drain][n] of what a cell results in; those of these rows, in the same cycle.
    sums : out, [drain] of what a row results in.

    Raises
    ------
    InputError : if `drain` does not divide m.
    """

    def __init__(self, pe: PE, m: int, n: int, drain: int) -> None:
        if m % drain:
            raise InputError(f"a tile of m = {m} rows cannot drain {drain} rows at a time: m must be a multiple")
        self._pe, self._m, self._n, self._drain = pe, m, n, drain
        self._stations = built = stations(pe)
        super().__init__(
            {
                "step": In(STEP),
                "activations": In(m * pe.lanes * pe.activation_bits),
                "weights": In(n * pe.lanes * pe.plane_bits),
                "drain_row": In(range(max(m // drain, 2))),
                "results": Out(data.ArrayLayout(data.ArrayLayout(built.result, n), drain)),
                "sums": Out(data.ArrayLayout(built.sum, drain)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, station = self._pe, self._stations
        step = data.View(STEP, delay(m, self.step.as_value(), pe.prepare_latency))
        columns = []
        for column in range(self._n):
            m.submodules[f"prepare_column_{column}"] = prepare = station.PrepareColumn()
            weights = self.weights.word_select(column, pe.lanes * pe.plane_bits)
            m.d.comb += [prepare.step.eq(self.step), prepare.weights.eq(weights)]
            columns.append(prepare.operand)
        rows = []
        for row in range(self._m):
            activations = self.activations.word_select(row, pe.lanes * pe.activation_bits)
            m.submodules[f"prepare_row_{row}"] = prepare = station.PrepareRow()
            m.d.comb += [prepare.step.eq(self.step), prepare.activations.eq(activations)]
            cells = []
            for column in range(self._n):
                m.submodules[f"cell_{row}_{column}"] = cell = station.Dot()
                m.d.comb += [
                    cell.step.eq(step),
                    cell.row.eq(prepare.operand),
                    cell.column.eq(columns[column]),
                ]
                cells.append(cell.result)
            rows.append((cells, prepare.sum))
        for d in range(self._drain):
            group = rows[d :: self._drain]
            m.d.comb += self.sums[d].eq(Array(total for _, total in group)[self.drain_row])
            for column in range(self._n):
                m.d.comb += self.results[d][column].eq(Array(cells[column] for cells, _ in group)[self.drain_row])
        return m
