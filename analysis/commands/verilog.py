"""`dyad verilog`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..terminal import working


def verilog(
    pe: str,
    /,
    *,
    lanes: int | None = None,
    group: int | None = None,
    accumulator_bits: int | None = None,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
) -> None:
    """Write the Verilog of a processing element's three stations: prepare, dot and finish.

    Parameters
    ----------
    pe
        Name of the processing element.
    lanes
        Products that a cell sums in one step.
    group
        Quantization group that the accumulator is made for.
    accumulator_bits
        Width of a cell's accumulator.
    output
        File to write; the terminal when left out.
    """
    from ...hw import files
    from ...hw.verilog import verilog as convert
    from ...models.pe import get

    given = {"lanes": lanes, "group": group, "accumulator_bits": accumulator_bits}
    description = get(pe, **{name: value for name, value in given.items() if value is not None})

    from ...rtl.pe import stations

    with working(f"converting {pe}"):
        modules = stations(description)._asdict().items()
        text = "\n".join(convert(component(), f"{pe}_{station.lower()}") for station, component in modules)
    if output is None:
        print(text, end="")
    else:
        files.write(output, text)
