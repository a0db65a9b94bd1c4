"""What a product costs in each processing element and mode, and what papers claim of such ratios."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..models.pe import in_words
from ..sim.costs import STREAM, Costs

ROWS, COLUMNS, SEGMENT = 16, 16, 128
"""The tile and the products of a result over which edges and later stages are shared in `Product.tile_pj`."""

INT8, DEQUANTIZED = ("int_mac", "int8xint8"), ("dequant_mac", "int4xfp16")
"""What the others are measured by: an int8 MAC, and weights dequantized to fp16 before an fp16 MAC."""


class Product(NamedTuple):
    """What one product of a mode costs.

    Attributes
    ----------
    pe, mode : names; `parameters` tell variants apart.
    cell_pj : energy in the cell, its clock included.
    tile_pj : the same with shares of what a row and a column prepare and of what finishes, in a tile of `ROWS` x
        `COLUMNS` with segments of `SEGMENT` products.
    cell_um2 : area of the cell for one product a cycle.
    digits_pj : `cell_pj` with the sparser operands of the digits network.
    """

    pe: str
    parameters: str
    mode: str
    cell_pj: float
    tile_pj: float
    cell_um2: float
    digits_pj: float


def products(table: Costs) -> list[Product]:
    """Return what a product costs in every mode of a table."""
    return [_product(row, mode) for row in table.rows for mode in row["modes"]]


def by_mode(found: list[Product]) -> dict[tuple[str, str], Product]:
    """Return the products by processing element and mode; of several variants the first."""
    return {(each.pe, each.mode): each for each in reversed(found)}


def _product(row: Mapping[str, Any], name: str) -> Product:
    mode, idle = row["modes"][name], row["idle_pj"]
    each = mode["products"] / mode["cycles"]
    active = mode[STREAM]
    cell, digits = ((mode[stream]["dot"] + idle["dot"]) / each for stream in (STREAM, "digits"))
    edges = (active["row"] + idle["row"]) / COLUMNS + (active["column"] + idle["column"]) / ROWS
    # A row of finish stations, one to a column, waits for as many results as there are cells.
    finish = active["finish"] / SEGMENT + idle["finish"] / ROWS / each
    return Product(
        row["pe"],
        in_words(row["parameters"]),
        name,
        cell,
        cell + edges / each + finish,
        row["area_um2"]["dot"] / each,
        digits,
    )


class Claim(NamedTuple):
    """A ratio that a paper publishes, and the pair here that comes nearest to what it compares.

    Attributes
    ----------
    source, text : where it is, and what it says.
    published : the ratio, of the first to the second.
    first, second : processing element and mode, see `products`.
    figure : which of their figures is compared.
    why : what differs.
    """

    source: str
    text: str
    published: float
    first: tuple[str, str]
    second: tuple[str, str]
    figure: str
    why: str


_MXFP8 = ("mx", "mxfp8_e4m3xmxfp8_e4m3")
_SHARED = "theirs are arrays with float32 accumulation; ours are cells, exact, that several formats share"
CLAIMS = (
    Claim(
        "arXiv 2510.25602",
        "energy of MXINT8 to MXFP8",
        0.63,
        ("mx", "mxint8xmxint8"),
        _MXFP8,
        "cell_pj",
        _SHARED,
    ),
    Claim(
        "arXiv 2510.25602",
        "energy of NVFP4 to MXFP8",
        0.55,
        ("mx", "nvfp4xnvfp4"),
        _MXFP8,
        "cell_pj",
        f"{_SHARED}; NVFP4 runs in the cell of MXFP8, two products a lane",
    ),
    Claim(
        "arXiv 2510.25602",
        "energy of NVINT4 to MXFP8",
        0.34,
        ("mx", "nvint4xnvint4"),
        _MXFP8,
        "cell_pj",
        f"{_SHARED}; NVINT4 runs in the cell of MXINT8, two products a lane",
    ),
    Claim(
        "arXiv 2411.16158",
        "energy of MixPE to the best earlier quantized accelerator",
        1 / 1.4,
        ("mixpe", "int4xint8"),
        INT8,
        "tile_pj",
        "theirs is a whole accelerator with its memories against others of mixed precision; ours a product in a tile, "
        "W4A8 against W8A8",
    ),
    Claim(
        "arXiv 2408.06003",
        "area of W1 A-fp16 look-ups to an fp16 MAC (61.55 against 3.39 TFLOPS/mm2)",
        3.39 / 61.55,
        ("lut", "int1xfp16"),
        DEQUANTIZED,
        "cell_um2",
        "theirs rounds tables to int8 and leaves them out; ours sums exactly in 48 bits (table_bits rounds as well)",
    ),
    Claim(
        "arXiv 2408.06003",
        "energy of W2A8 look-ups to UNPU's (16.2 against 23.4 mW)",
        16.2 / 23.4,
        ("lut", "int2xint8"),
        ("bitserial", "int2xint8"),
        "cell_pj",
        "UNPU is bit-serial in weights alone; the nearest here is serial in both",
    ),
)


def ratio(claim: Claim, found: list[Product]) -> float | None:
    """Return our ratio, None if the table lacks one of the two; of several variants the first counts."""
    products = by_mode(found)
    if claim.first not in products or claim.second not in products:
        return None
    first, second = (getattr(products[each], claim.figure) for each in (claim.first, claim.second))
    return first / second
