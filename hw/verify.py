"""Circuit against golden arithmetic: a small tile with its finish and output stages, through cocotb and Verilator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..models import pe as processing_elements
from ..models.pe import PE
from ..models.pe.output import LATENCY
from . import toolchain
from .bench import SINGLE, SMALL, Geometry, TileBench, fields
from .simulate import run
from .synthesis.ecp5 import Ecp5Netlist
from .synthesis.library import Library
from .synthesis.process import surroundings
from .synthesis.tile import MappedTile
from .verilog import verilog

BENCH = "dyad.tests.pe.bench"


def described(pe_name: str, parameters: dict[str, Any], geometry: Geometry = SMALL) -> dict[str, Any]:
    """Return what the bench has to know about a processing element and the tile that it is in."""
    pe = processing_elements.get(pe_name, **parameters)
    return {
        "pe": (pe_name, parameters),
        "geometry": tuple(geometry),
        "fields": fields(pe, geometry),
        "latencies": (pe.finish_latency, LATENCY),
        "brief": False,
        "replay": [],
    }


def verify(
    pe_name: str,
    seed: int = 0,
    waves: Path | None = None,
    lanes: int | None = None,
    library: Library | None = None,
    ecp5: bool = False,
    geometry: Geometry | None = None,
) -> list[dict[str, Any]]:
    """Compare the circuit of a processing element with its golden arithmetic, in every variant and mode.

    The modes change from segment to segment, and a reset comes while segments are under way. If something fails, its
    first segments are run once more for their waveforms, in ``build/verify``.

    Parameters
    ----------
    pe_name : name of the processing element.
    seed : of the random vectors.
    lanes : lanes of a cell; its default when left out.
    library : run gates instead of the circuit: one cell with what surrounds it, mapped to the cells of this library.
    ecp5 : run the netlist for an ECP5 instead.
    geometry : of the tile; a small one when left out, and a single cell of gates.
    waves : where to write a VCD of a short simulation, of a few random segments in each mode of the first variant.

    Returns
    -------
    list of dict
        For each mode one with every pair of operands in every lane (``exhaustive``), if that is at most 2^16 pairs, and
        one with random segments: ``pe``, ``parameters`` (of its variant), ``mode``, ``vectors`` (results compared),
        ``failures``, ``exhaustive``, ``examples``, up to five failures in words, ``uncovered``, what of the formats and
        of the switches between modes was not tried, and ``waves``, the file with the waveforms of failures or None.

    Raises
    ------
    InputError : if there is no such processing element.
    """
    results = []
    for index, parameters in enumerate(processing_elements.variants(pe_name)[: None if waves is None else 1]):
        parameters = parameters if lanes is None else parameters | {"lanes": lanes}
        pe = processing_elements.get(pe_name, **parameters)
        tile = geometry or (SINGLE if library or ecp5 else SMALL)
        inputs = {**described(pe_name, parameters, tile), "brief": waves is not None}
        design, name, sources = _design(pe, tile, library, ecp5)
        outputs = run(design, name, BENCH, inputs, waves=waves, seed=seed, sources=sources)
        failed = None
        if outputs["failing"] and waves is None:
            failed = toolchain.BUILD / "verify" / f"{pe_name}_{index}.vcd"
            failed.parent.mkdir(parents=True, exist_ok=True)
            replay = {**inputs, "replay": outputs["failing"]}
            run(design, name, BENCH, replay, waves=failed, seed=seed, sources=sources)
        for result in outputs["results"]:
            waveforms = str(failed) if failed and result["failures"] else None
            results.append({"parameters": parameters, **result, "waves": waveforms})
    return results


def _design(pe: PE, geometry: Geometry, library: Library | None, ecp5: bool) -> tuple[str, str, dict[str, str]]:
    """Return the Verilog to run, the name of its top module, and what else its simulation is built of."""
    if library is not None:
        mapped = MappedTile.of(pe, library, surroundings(library, None))
        return mapped.verilog, mapped.name, {}
    bench = TileBench(pe, geometry)
    if ecp5:
        netlist, name = Ecp5Netlist(bench, f"{pe.name}_bench"), f"{pe.name}_ecp5"
        return verilog(netlist, name), name, netlist.sources
    return verilog(bench, f"{pe.name}_bench"), f"{pe.name}_bench", {}
