"""`dyad pes`."""

from __future__ import annotations

from typing import Any

from ..terminal import Json, report, show


def pes(*, markdown: bool = False, json: Json = None) -> None:
    """List processing elements: what they multiply, and how fast.

    Parameters
    ----------
    markdown
        Print the table as the README shows it.
    json
        Also write the list to this file: `pes`, a list of `pe`, `mode`, `interval` (cycles a step),
        `products_per_cycle` (of a cell with one lane), `plane_bits` (of a weight in a cycle), `accumulator_bits` and
        `finish_latency` (cycles from a cell's sum to the total it is added to).
    """
    from ...models.pe import get, names

    rows = [row for name in names() for row in _rows(get(name))]
    columns = tuple(rows[0])
    if markdown:
        print("\n".join(_markdown(columns, rows)))
    else:
        show(columns, (row.values() for row in rows))
    report(json, {"pes": rows})


def _rows(pe: Any) -> list[dict[str, Any]]:
    return [
        {
            "pe": pe.name,
            "mode": mode.name,
            "interval": mode.interval,
            "products_per_cycle": 1 / mode.interval,
            "plane_bits": pe.plane_bits,
            "accumulator_bits": pe.accumulator_bits,
            "finish_latency": pe.finish_latency,
        }
        for mode in pe.modes
    ]


def _markdown(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> list[str]:
    head = [column.replace("_", " ") for column in columns]
    body = [[f"{value:g}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows]
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(columns), *body)]
