"""`dyad costs`."""

from __future__ import annotations

from ...models.errors import InputError, unknown
from ..terminal import Json, report, show


def costs(*, table: str | None = None, markdown: bool = False, json: Json = None) -> None:
    """Show what a product costs in every processing element and mode, beside an int8 MAC and dequantizing to fp16.

    All figures are of netlists (`dyad characterize`): energy of the cell, its clock included; energy with its share of
    what rows and columns prepare and of what finishes results; area of the cell for one product a cycle. Ratios that
    papers publish follow, beside ours.

    Parameters
    ----------
    table
        The cost table, a name in hw/costs; dyad's own library when left out.
    markdown
        Print the first table in Markdown, as hw/costs/README.md has it.
    json
        Also write the figures to this file: `technology`, `products` (a list of `pe`, `parameters`, `mode`, `cell_pj`,
        `tile_pj`, `cell_um2`, `digits_pj`) and `claims` (`source`, `text`, `published`, `ours`, `why`).
    """
    from ...sim import costs as tables
    from .. import efficiency

    name = table or tables.DEFAULT
    known = sorted(path.stem for path in tables.COSTS.glob("*.yaml") if path.stem != "memory")
    if name not in known:
        raise unknown("cost table", name, known)
    data = tables.costs(name)
    found = efficiency.products(data)
    rivals, by_mode = (efficiency.INT8, efficiency.DEQUANTIZED), efficiency.by_mode(found)
    if missing := [rival[0] for rival in rivals if rival not in by_mode]:
        raise InputError(f"hw/costs/{name}.yaml lacks {missing[0]}; measure it with dyad characterize {missing[0]}")
    int8, dequantized = (by_mode[rival].tile_pj for rival in rivals)
    columns = ("pe", "parameters", "mode", "pJ, cell", "pJ, tile", "to int8", "to dequantized", "um2, cell")
    rows = [
        (
            *(each.pe, each.parameters, each.mode, f"{each.cell_pj:.3g}", f"{each.tile_pj:.3g}"),
            *(f"{each.tile_pj / int8:.2f}", f"{each.tile_pj / dequantized:.2f}", f"{each.cell_um2:.0f}"),
        )
        for each in found
    ]
    claims = [
        {
            "source": claim.source,
            "text": claim.text,
            "published": round(claim.published, 3),
            "ours": (ours := efficiency.ratio(claim, found)) and round(ours, 3),
            "why": claim.why,
        }
        for claim in efficiency.CLAIMS
    ]
    if markdown:
        print("| " + " | ".join(columns) + " |\n" + "| --- " * len(columns) + "|")
        print("\n".join("| " + " | ".join(row) + " |" for row in rows))
    else:
        show(columns, rows, title=f"a product, {data.technology}")
        print()
        show(("source", "ratio", "published", "ours", "what differs"), (list(each.values()) for each in claims))
    report(json, {"technology": data.technology, "products": [each._asdict() for each in found], "claims": claims})
