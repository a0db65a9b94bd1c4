"""`dyad verilog`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ...models.errors import InputError
from ..terminal import working


def verilog(
    pe: str | None = None,
    /,
    *,
    accelerator: str | None = None,
    lanes: int | None = None,
    group: int | None = None,
    accumulator_bits: int | None = None,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
) -> None:
    """Write the Verilog of a processing element's stations (row, column, dot and finish) or of a whole engine.

    Parameters
    ----------
    pe
        Name of the processing element.
    accelerator
        Instead of a processing element: the accelerator, by short name or file, whose engine is written.
    lanes
        Products that a cell sums in one step.
    group
        Quantization group that the accumulator is made for.
    accumulator_bits
        Width of a cell's accumulator.
    output
        File to write; the terminal when left out.
    """
    if (pe is None) == (accelerator is None):
        raise InputError("verilog takes either the name of a processing element or --accelerator")
    sizes = {"lanes": lanes, "group": group, "accumulator_bits": accumulator_bits}
    given = {name: value for name, value in sizes.items() if value is not None}
    if accelerator is not None and given:
        raise InputError(f"an accelerator's file says its {next(iter(given))}; leave --{next(iter(given))} out")

    from ...hw import files
    from ...models import accelerator as accelerators
    from ...models.pe import get

    if pe is not None:
        element = get(pe, **given)
    else:
        engine = accelerators.load(accelerator or "")
    with working(f"converting {pe or accelerator}"):
        from ...hw.verilog import verilog as convert

        if pe is not None:
            from ...rtl.pe import stations

            built = stations(element)
            modules = [
                (built.PrepareRow(), f"{pe}_row"),
                (built.PrepareColumn(), f"{pe}_column"),
                (built.Dot(), f"{pe}_dot"),
                (built.Finish(), f"{pe}_finish"),
            ]
        else:
            from ...rtl.engine import Engine

            modules = [(Engine(engine), re.sub(r"\W", "_", f"engine_{engine.name}"))]
        text = "\n".join(convert(component, name) for component, name in modules)
    if output is None:
        print(text, end="")
    else:
        files.write(output, text)
