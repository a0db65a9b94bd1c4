"""`dyad formats`."""

from __future__ import annotations

from typing import Any

from ..terminal import Json, report, show


def formats(name: str | None = None, /, *, json: Json = None) -> None:
    """List number formats.

    Parameters
    ----------
    name
        The one format to show.
    json
        Also write the list to this file: `formats`, a list of `name`, `bits`, `minimum`, `maximum`.
    """
    from ...models.formats import names

    rows = [_describe(each) for each in ([name] if name else names())]
    show(rows[0], (row.values() for row in rows))
    report(json, {"formats": rows})


def _describe(name: str) -> dict[str, Any]:
    """Return one row. Block formats show what is known without data: their elements, without the scale."""
    from ...models.formats import BlockFormat, parse

    format = parse(name)
    element = format.element if isinstance(format, BlockFormat) else format
    return {"name": name, "bits": element.bits, "minimum": element.minimum, "maximum": element.maximum}
