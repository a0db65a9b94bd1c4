"""Circuit against golden arithmetic: a small tile with its finish and output stages, through cocotb and Verilator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..models import pe as processing_elements
from ..models.pe import PE
from ..models.pe.output import LATENCY
from ..rtl.output import Output, posits
from ..rtl.pe import STEP, stations
from ..rtl.tile import Tile
from . import toolchain
from .simulate import run

M, N, DRAIN = 4, 4, 2
BENCH = "dyad.tests.pe.bench"


class TileBench(wiring.Component):
    """A tile, and for each drained result the finish and the output stage, between two wide words.

    Parameters
    ----------
    pe : description of the processing element.

    Ports
    -----
    stimulus : in; the fields of `fields(pe)`, in that order from bit 0. Fields up to `base` belong to the tile and the
        finish stage; those after it to the output stage, whose accumulators are the totals of the same cycle.
    totals : out, drain * n * 32; of the finish stages.
    values : out, drain * n * 32; of the output stages.
    """

    def __init__(self, pe: PE) -> None:
        self._pe = pe
        layout = data.StructLayout({name: count * bits for name, (count, bits) in fields(pe).items()})
        words = DRAIN * N * 32
        super().__init__({"stimulus": In(layout), "totals": Out(words), "values": Out(words)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        given = self.stimulus
        m.submodules.tile = tile = Tile(self._pe, M, N, DRAIN)
        m.d.comb += [getattr(tile, name).eq(given[name]) for name in ("step", "activations", "weights", "drain_row")]
        for row in range(DRAIN):
            for column in range(N):
                cell = row * N + column
                m.submodules[f"finish_{cell}"] = finish = stations(self._pe).Finish()
                m.submodules[f"output_{cell}"] = output = Output(posits(self._pe))
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


def fields(pe: PE) -> dict[str, tuple[int, int]]:
    """Return the fields of a stimulus in order: the number of their elements and the bits of each."""
    return {
        "step": (1, STEP.size),
        "activations": (M * pe.lanes, pe.activation_bits),
        "weights": (N * pe.lanes, pe.plane_bits),
        "mode": (1, 4),
        "drain_row": (1, max((M // DRAIN - 1).bit_length(), 1)),
        "zero_point": (N, 9),
        "scale": (N, 16),
        "scaled": (1, 1),
        "base": (DRAIN * N, 32),
        "floating": (1, 1),
        "relu": (1, 1),
        "multiplier": (N, 16),
        "shift": (N, 6),
        "format": (1, 3 if posits(pe) else 2),
    }


def verify(pe_name: str, seed: int = 0, waves: Path | None = None, lanes: int | None = None) -> list[dict[str, Any]]:
    """Compare the circuit of a processing element with its golden arithmetic, in every variant and mode.

    The modes change from segment to segment, and a reset comes while segments are under way. If something fails, its
    first segments are run once more for their waveforms, in ``build/verify``.

    Parameters
    ----------
    pe_name : name of the processing element.
    seed : of the random vectors.
    lanes : lanes of a cell; its default when left out.
    waves : where to write a VCD of a short simulation, of a few random segments in each mode of the first variant.

    Returns
    -------
    list of dict
        For each mode one with every pair of operands in every lane (``exhaustive``), if that is at most 2^16 pairs, and
        one with random segments: ``pe``, ``mode``, ``vectors`` (results compared), ``failures``, ``exhaustive``,
        ``examples``, up to five failures in words, ``uncovered``, what of the formats and of the switches between modes
        was not tried, and ``waves``, the file with the waveforms of failures or None.

    Raises
    ------
    InputError : if there is no such processing element.
    """
    results = []
    for index, parameters in enumerate(processing_elements.variants(pe_name)[: None if waves is None else 1]):
        parameters = parameters if lanes is None else parameters | {"lanes": lanes}
        pe = processing_elements.get(pe_name, **parameters)
        inputs = {
            "pe": (pe_name, parameters),
            "geometry": (M, N, DRAIN),
            "fields": fields(pe),
            "latencies": (pe.finish_latency, LATENCY),
            "brief": waves is not None,
            "replay": [],
        }
        name = f"{pe_name}_bench"
        outputs = run(TileBench(pe), name, BENCH, inputs, waves=waves, seed=seed)
        failed = None
        if outputs["failing"] and waves is None:
            failed = toolchain.BUILD / "verify" / f"{pe_name}_{index}.vcd"
            failed.parent.mkdir(parents=True, exist_ok=True)
            replay = {**inputs, "replay": outputs["failing"]}
            run(TileBench(pe), name, BENCH, replay, waves=failed, seed=seed)
        for result in outputs["results"]:
            results.append(result | {"waves": str(failed) if failed and result["failures"] else None})
    return results
