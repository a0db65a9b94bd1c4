"""The design in which `dyad verify` tries a processing element: a small tile with what follows it."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..models.pe import PE
from ..rtl.output import output as output_stage
from ..rtl.output import posits
from ..rtl.pe import STEP, stations
from ..rtl.tile import Tile


class Geometry(NamedTuple):
    """Rows and columns of a tile, and how many rows of results leave it at once."""

    m: int
    n: int
    drain: int

    @property
    def results(self) -> int:
        """Results that leave at once."""
        return self.drain * self.n


SMALL = Geometry(4, 4, 2)
"""A tile with more of everything than one, but for pairs of drained rows."""
SINGLE = Geometry(1, 1, 1)
"""One cell and one of everything around it."""


class TileBench(wiring.Component):
    """A tile, and for each drained result the finish and the output stage, between two wide words.

    Parameters
    ----------
    pe : description of the processing element.
    geometry : of the tile.

    Ports
    -----
    stimulus : in; the fields of `fields`, in that order from bit 0. Fields up to `base` belong to the tile and the
        finish stage; those after it to the output stage, whose accumulators are the totals of the same cycle.
    totals : out, drain * n * 32; of the finish stages.
    values : out, drain * n * 32; of the output stages.
    """

    def __init__(self, pe: PE, geometry: Geometry = SMALL) -> None:
        self._pe, self._geometry = pe, geometry
        layout = data.StructLayout({name: count * bits for name, (count, bits) in fields(pe, geometry).items()})
        words = geometry.results * 32
        super().__init__({"stimulus": In(layout), "totals": Out(words), "values": Out(words)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        given, geometry = self.stimulus, self._geometry
        m.submodules.tile = tile = Tile(self._pe, *geometry)
        m.d.comb += [getattr(tile, name).eq(given[name]) for name in ("step", "activations", "weights", "drain_row")]
        for row in range(geometry.drain):
            for column in range(geometry.n):
                cell = row * geometry.n + column
                m.submodules[f"finish_{cell}"] = finish = stations(self._pe).Finish()
                m.submodules[f"output_{cell}"] = output = output_stage(self._pe)
                m.d.comb += [
                    finish.mode.eq(given.mode),
                    finish.accumulator.eq(tile.results[row][column]),
                    finish.activation_sum.eq(tile.sums[row]),
                    finish.zero_point.eq(given.zero_point.word_select(column, 9)),
                    finish.scale.eq(given.scale.word_select(column, 16)),
                    finish.scaled.eq(given.scaled),
                    finish.base.eq(given.base.word_select(cell, 32)),
                    self.totals.word_select(cell, 32).eq(finish.total),
                    output.accumulator.eq(finish.total),
                    output.floating.eq(given.floating),
                    output.relu.eq(given.relu),
                    output.multiplier.eq(given.multiplier.word_select(column, 16)),
                    output.shift.eq(given.shift.word_select(column, 6)),
                    output.format.eq(given.format),
                    self.values.word_select(cell, 32).eq(output.value),
                ]
        return m


def fields(pe: PE, geometry: Geometry) -> dict[str, tuple[int, int]]:
    """Return the fields of a stimulus in order: the number of their elements and the bits of each."""
    m, n, drain = geometry
    return {
        "step": (1, STEP.size),
        "activations": (m * pe.lanes, pe.activation_bits),
        "weights": (n * pe.lanes, pe.plane_bits),
        "mode": (1, 4),
        "drain_row": (1, max((m // drain - 1).bit_length(), 1)),
        "zero_point": (n, 9),
        "scale": (n, 16),
        "scaled": (1, 1),
        "base": (drain * n, 32),
        "floating": (1, 1),
        "relu": (1, 1),
        "multiplier": (n, 16),
        "shift": (n, 6),
        "format": (1, 3 if posits(pe) else 2),
    }
