"""What others' circuits came to, and which circuit of ours each is compared with.

All areas were measured by one flow, that of `dyad.hw.synthesis.yosys`: Yosys 0.70 + ABC, sky130_fd_sc_hd, typical
corner, a period of 4 ns, inputs and outputs registered; the areas of published circuits too, from their open sources.
Where a table is outside, so is the register that holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from amaranth.lib.wiring import Component

from ...models.errors import InputError
from ...models.pe import get
from ...rtl.tile import Tile
from .baselines import (
    FloatProduct,
    LookUpAccumulate,
    LookUpTable,
    MultiplyAccumulate,
    PositMultiplyAccumulate,
)
from .library import Library
from .measure import Registered, measure, station
from .process import Surroundings

LIBRARY = "sky130_fd_sc_hd"
"""The cells that all areas are in: what the names of libraries start with that have them."""


NOISE = 0.01
"""Share of an area that chance decides: what ABC makes of the same circuit, told differently."""


class Rival(NamedTuple):
    """A circuit of others.

    Attributes
    ----------
    pe : name of the processing element of ours that it is compared with.
    name : what it is.
    source : where it comes from.
    area_um2 : its area.
    ours : what of ours is measured.
    build : constructor of that.
    why : where the difference comes from, or what else differs.
    """

    pe: str
    name: str
    source: str
    area_um2: float
    ours: str
    build: Callable[[], Component]
    why: str


OPERATOR = "multiplication operator, two stages"
DIGITS = "no digit needs its neighbour, no sign is extended"
TABLES = "a table holds halves, one bit less; no sign is extended"


def _station(pe: str, mode: str | None, **parameters: Any) -> Callable[[], Component]:
    return lambda: station(get(pe, **parameters), "dot", mode)()


def _look_up(bits: int, area: float) -> Rival:
    ours = f"cell in two stages, {bits} planes, 32-bit sum"
    name = f"LUT dot-4 W{bits} x int8 + 32, table outside"
    return Rival("lut", name, "arXiv 2408.06003", area, ours, lambda: LookUpAccumulate(bits, 32), TABLES)


def _multiply(pe: str, name: str, area: float, recoding: Any, why: str, bits: int, sums: int, lanes: int = 1) -> Rival:
    ours = f"{'cell' if lanes == 1 else f'{lanes} lanes'} in two stages, {bits} bits, {sums}-bit sum"
    return Rival(pe, name, OPERATOR, area, ours, lambda: MultiplyAccumulate(bits, sums, recoding, lanes), why)


def _exact(format: str, area: float, why: str, sums: int) -> Rival:
    ours = f"decoders and cell in two stages, one product, {sums}-bit quire"
    name = f"MAC {format} with quire"
    return Rival("xr_npe", name, "two stages", area, ours, lambda: PositMultiplyAccumulate(format, 127), why)


def _product(format: str, area: float) -> Rival:
    why = "fields are added in place of significands multiplied; nothing is rounded"
    ours = f"unit for products of {format}, between registers"
    return Rival(
        "lmul", f"product of {format}", "multiplication operator", area, ours, lambda: FloatProduct(format, False), why
    )


RIVALS: tuple[Rival, ...] = (
    _multiply("mixpe", "MAC 8x4 + 20", 2649, "digits", DIGITS, 4, 20),
    _multiply("mixpe", "MAC 8x4 + 32", 3521, "digits", DIGITS, 4, 32),
    _multiply("mixpe", "dot-4 8x4 + 32", 8324, "digits", DIGITS, 4, 32, 4),
    _multiply("mixpe", "MAC 8x4 + 20, Booth", 2314, "digits", DIGITS, 4, 20)._replace(
        source="radix-4 digits, two stages"
    ),
    _multiply("mixpe", "MAC 8x4 + 32, shift-add", 3624, "digits", DIGITS, 4, 32)._replace(source="arXiv 2411.16158"),
    Rival(
        "mixpe",
        "BitFusion PE",
        "arXiv 1712.01507",
        19664,
        "cell of 2 lanes, all modes, 24-bit sum",
        _station("mixpe", None, lanes=2, accumulator_bits=24),
        "as many products of 8x4 and 8x8 a cycle, half as many of 4x4; no wider operands, the sum of a group alone",
    ),
    Rival(
        "mixpe",
        "FMA fp16 (cvfpu)",
        "arXiv 2007.01530",
        13288,
        "cell of 1 lane, int4xfp16",
        _station("mixpe", "int4xfp16", lanes=1, activation="fp16"),
        "exact sums of numbers that the row has aligned; rounding is left to the finish station, neither counted",
    ),
    _look_up(4, 6674),
    _look_up(2, 4059),
    _look_up(1, 3075),
    Rival(
        "lut",
        "table of four int8",
        "arXiv 2408.06003",
        6435,
        "table of a row",
        LookUpTable,
        "entries have 9 bits, not 10",
    ),
    Rival(
        "lut",
        "BitMoD PE, 4 lanes",
        "arXiv 2411.11745",
        20800,
        "cell of 4 lanes, int1xfp16",
        _station("lut", "int1xfp16", activation="fp16", weight_bits=1),
        "the row aligns activations, so that cells add integers; the row and the finish station are not counted",
    ),
    _multiply("int_mac", "MAC 8x8 + 32", 4955, "operator", "the same circuit", 8, 32),
    Rival(
        "int_mac",
        "NVDLA small CMAC, 8 x int8",
        "NVDLA's open source",
        26723,
        "cell of 8 lanes, int8xint8",
        _station("int_mac", "int8xint8", lanes=8),
        "a multiplier for signed and unsigned weights in each lane, and an accumulator with a result register",
    ),
    _multiply("ternary", "dot-4 8x2 + 32", 5331, "ternary", "selections in place of partial products", 2, 32, 4),
    Rival(
        "bitserial",
        "bit-serial ADD dot-4",
        "sums of activations, by plane of the weights",
        3976,
        "cell of 32 lanes, all modes of up to 4 bits x int8",
        _station("bitserial", None, lanes=32, weight_bits=4),
        "as many bits of products a cycle; its activations are serial as well, which takes a register for each lane "
        "but makes narrower ones faster",
    ),
    _exact("posit(8,0)", 6360, "a code below 1 is the number itself, so that half of the decoder is left", 32),
    _exact("posit(4,1)", 2588, "shifts leave alone what surely is 0", 24),
    Rival(
        "xr_npe",
        "MAC posit(16,1) with quire",
        "three stages",
        24557,
        "cell of 1 lane, all modes",
        _station("xr_npe", None),
        "also two products of posit(8,0) or four of posit(4,1) or e2m1 a cycle; decoders are outside, not counted",
    ),
    Rival(
        "xr_npe",
        "MACs with quires of posit(16,1), 2 posit(8,0), 4 posit(4,1)",
        "three and two stages",
        24557 + 2 * 6360 + 4 * 2588,
        "cell of 1 lane with a row's and a column's decoders, all modes",
        lambda: Registered(Tile(get("xr_npe"), 1, 1, 1)),
        "one multiplier and one quire for all modes, and FP4 beside them",
    ),
    Rival(
        "mx",
        "MASE MXINT8 dot-4",
        "MASE's open source",
        35619,
        "cell of 4 lanes, mxint8",
        _station("mx", None, format="mxint8"),
        "sums of a block are integers; scales are left to the finish station, not counted",
    ),
    Rival(
        "mx",
        "FMA fp8 (cvfpu)",
        "arXiv 2007.01530",
        4368,
        "cell of 1 lane, mxfp8_e4m3",
        _station("mx", None, format="mxfp8_e4m3", lanes=1),
        "exact sums of a block, wider than fp8; operands are decoded at the tile's edges, not counted",
    ),
    Rival(
        "bfp",
        "MASE MXINT8 dot-4",
        "MASE's open source",
        35619,
        "cell of 4 lanes, bfp(7,16)",
        _station("bfp", None, format="bfp(7,16)"),
        "as for mxint8, with 7-bit magnitudes",
    ),
    _product("bf16", 3999),
    _product("e4m3", 1295),
    Rival(
        "lmul",
        "FMA fp8 (cvfpu)",
        "arXiv 2007.01530",
        4368,
        "cell of 1 lane, e4m3",
        _station("lmul", None, lanes=1),
        "products by addition; exact sums of a group, wider than fp8, which are left to the finish station to round",
    ),
    Rival(
        "dequant_mac",
        "FMA fp16 (cvfpu)",
        "arXiv 2007.01530",
        13288,
        "cell of 1 lane, int4xfp16",
        _station("dequant_mac", "int4xfp16", lanes=1),
        "a float32 accumulator behind exact products; edges normalize and dequantize operands, not counted",
    ),
)


def check(library: Library) -> None:
    """Raise `InputError` if areas in this library are not those that rivals were measured in."""
    if not library.name.startswith(LIBRARY):
        raise InputError(f"rivals were measured in {LIBRARY}, not in {library.name}; name a processing element")


def compare(rival: Rival, library: Library, around: Surroundings) -> dict[str, Any]:
    """Return a line of the table: both circuits and areas, the ratio of ours to theirs, and what that makes of it."""
    found = measure(rival.build(), f"{rival.pe}_rival", library, around)
    ratio = found.area_um2 / rival.area_um2
    return {
        "pe": rival.pe,
        "ours": rival.ours,
        "area_um2": round(found.area_um2, 2),
        "critical_path_ns": found.path and round(found.path.ns, 4),
        "rival": rival.name,
        "source": rival.source,
        "rival_area_um2": rival.area_um2,
        "ratio": round(ratio, 3),
        "verdict": "as large" if abs(ratio - 1) < NOISE else "smaller" if ratio < 1 else "larger",
        "why": rival.why,
    }
