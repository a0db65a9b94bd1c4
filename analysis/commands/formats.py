"""`dyad formats`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ...models.errors import InputError
from ..terminal import Json, Seed, report, show

if TYPE_CHECKING:
    from ...models.formats import Format


def formats(
    name: str | None = None,
    /,
    *,
    compare: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    seed: Seed = 0,
    plot: Path | None = None,
    markdown: bool = False,
    json: Json = None,
) -> None:
    """List number formats, show one, or compare some on random data.

    Parameters
    ----------
    name
        The one format to show: its values, range and precision.
    compare
        Formats to compare on Gaussian, Laplace and heavy-tailed (Student's t, 3 degrees of freedom) data of variance 1.
        Scalar formats get the power of two that suits them best as the scale of the tensor.
    seed
        What the data of a comparison are drawn from.
    plot
        Also write a plot of the precision of the formats over magnitude to this file, such as precision.svg.
    markdown
        Print the list as the table of the README.
    json
        Also write the list to this file: `formats`, a list of `name`, `bits`, `minimum`, `maximum`; of a comparison,
        `comparison`, a list of `name`, `data`, `sqnr_db`, `max_error`, and `seed`.
    """
    from ...models.formats import names
    from .. import format_report

    chosen = compare or ([name] if name else [])
    if plot and not chosen:
        raise InputError(f"--plot {plot} needs a format, or --compare and several")
    if (compare is not None) + (name is not None) + markdown > 1:
        raise InputError("a name, --compare and --markdown exclude each other")
    if compare is not None:
        results = format_report.compare(compare, seed)
        lines = [(each.name, each.data, round(each.sqnr_db, 2), round(each.max_error, 4)) for each in results]
        show(("format", "data", "SQNR dB", "max error"), lines, title=f"seed {seed}; errors in standard deviations")
        report(json, {"seed": seed, "comparison": [each._asdict() for each in results]})
    else:
        rows = [_row(each) for each in (chosen or names())]
        if markdown:
            print(format_report.markdown(names()), end="")
        elif name:
            show(rows[0], (row.values() for row in rows))
            _details(name)
        else:
            show((field.replace("_", " ") for field in format_report.Row._fields), map(format_report.row, names()))
        report(json, {"formats": rows})
    if plot:
        from .. import format_plots

        format_plots.save(format_plots.precision(chosen), plot)


def _row(name: str) -> dict[str, object]:
    """Return what a report says of a format. Of block formats it is what is known without data: their elements."""
    from ...models.formats import BlockFormat, parse

    format = parse(name)
    element = format.element if isinstance(format, BlockFormat) else format
    return {"name": name, "bits": element.bits, "minimum": element.minimum, "maximum": element.maximum}


def _details(name: str) -> None:
    from ...models.formats import BlockFormat, parse
    from ..format_report import SPECIALS, bits_per_value, scales, significant_bits, smallest

    format = parse(name)
    if isinstance(format, BlockFormat):
        print(f"\n{format.element.name} with scales {scales(format)}: {bits_per_value(format):.6g} bits per value")
        format = format.element
    special = SPECIALS[format.specials]
    print(f"\nleast positive value {smallest(format):.6g}; " + (f"also {special}" if special else "no special values"))
    exponent, bits = significant_bits(format)
    print("\nsignificant bits over magnitude")
    for precision, run in groupby(
        zip(exponent.tolist(), bits.tolist(), strict=True), key=lambda pair: round(pair[1], 1)
    ):
        binades = [binade for binade, _ in run]
        span = f"2^{binades[0]}" + (f" to 2^{binades[-1] + 1}" if len(binades) > 1 else "")
        print(f"{span:>16} {'█' * round(precision)} {precision:g}")
    if format.bits <= 8:
        print("\nvalues by code")
        _print_values(format)


def _print_values(format: Format) -> None:
    """Print all values, eight in a line that starts with the code of its first."""
    cells = [f"{value:.6g}" for value in format.values().tolist()]
    width = max(map(len, cells))
    for first in range(0, len(cells), 8):
        print(f"0x{first:02x}  " + " ".join(cell.rjust(width) for cell in cells[first : first + 8]))
