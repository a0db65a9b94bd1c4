"""`dyad pes`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..terminal import Json, report, show


def pes(*, markdown: bool = False, json: Json = None) -> None:
    """List processing elements: what they multiply, and how fast.

    Parameters
    ----------
    markdown
        Print the table as the README shows it.
    json
        Also write the list to this file: `pes`, a list of `pe`, `weight`, `activation`, `products_per_cycle` (of a cell
        with one lane), `prepare`, `dot` and `finish` (cycles that each station takes), `accumulator_bits` (for groups
        of 128 products and one lane) and `parameters` (what makes this variant of the processing element).
    """
    from ...models.pe import get, names, variants

    rows = [
        row for name in names() for parameters in variants(name) for row in _rows(get(name, **parameters), parameters)
    ]
    columns = ("pe", "weights", "activations", "products_per_cycle", "prepare", "dot", "finish", "accumulator_bits")
    if markdown:
        print("\n".join(_markdown(columns, _merged(rows))))
    else:
        show(columns, _merged(rows))
    report(json, {"pes": rows})


def _merged(rows: list[dict[str, Any]]) -> list[list[Any]]:
    """Return the cells of a table, a line for all modes that differ only in their weights."""
    lines: dict[tuple[Any, ...], list[str]] = {}
    for row in rows:
        pe, weight, activation, *rest, _ = row.values()
        lines.setdefault((pe, activation, *rest), []).append(weight)
    return [[pe, ", ".join(dict.fromkeys(weights)), *rest] for (pe, *rest), weights in lines.items()]


def _rows(pe: Any, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "pe": pe.name,
            "weight": mode.weight,
            "activation": mode.activation,
            "products_per_cycle": mode.packing / mode.interval,
            "prepare": pe.prepare_latency,
            "dot": pe.dot_latency,
            "finish": pe.finish_latency,
            "accumulator_bits": pe.accumulator_bits,
            "parameters": parameters,
        }
        for mode in pe.modes
    ]


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    head = [column.replace("_", " ") for column in columns]
    body = [[f"{value:.3g}" if isinstance(value, float) else str(value) for value in row] for row in rows]
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(columns), *body)]
