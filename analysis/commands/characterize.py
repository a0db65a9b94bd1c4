"""`dyad characterize`."""

from __future__ import annotations

import os
from pathlib import Path

from ...models.errors import InputError, unknown


def characterize(
    *pe: str,
    liberty: Path | None = None,
    clock: float | None = None,
    output: Path | None = None,
    again: bool = False,
    workers: int | None = None,
) -> None:
    """Measure area, timing and energy of processing elements, for the simulator to read.

    Each is mapped to the cells of a library; the netlist runs on real operands in every mode, its results are compared
    with the golden arithmetic, and the changes of its nets are counted. What is in the table already and has not
    changed is not measured again. The table is whole after every row: the work can be interrupted and taken up.

    Parameters
    ----------
    pe
        Names of processing elements; all when left out.
    liberty
        The library, a .lib or .lib.gz file; when left out, that of an open PDK in the folder that PDK_ROOT names, or
        dyad's own.
    clock
        Clock period that synthesis aims at, in ns.
    output
        The table; when left out, hw/costs/NAME.yaml with the name of the library.
    again
        Measure everything again.
    workers
        How many to measure at a time; as many as there are processors when left out.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from ...hw import characterize as measuring
    from ...hw import files
    from ...hw.synthesis import process
    from ...models.pe import names

    for name in pe:
        if name not in names():
            raise unknown("processing element", name, names())
    if workers is not None and workers < 1:
        raise InputError(f"--workers {workers} must be at least 1")
    library = process.library(liberty)
    around = process.surroundings(library, clock)
    path = output or measuring.COSTS / f"{library.name}.yaml"
    files.check(path)
    table = measuring.Table(path, library, around)
    chosen = measuring.subjects(pe or names(), library, around)
    missing = table.missing(chosen, again)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("measuring", total=len(missing))

        def done(subject: measuring.Subject) -> None:
            progress.update(task, advance=1, description=f"measured {subject.title}")

        table.fill(missing, workers or os.cpu_count() or 1, done)
    print(f"{len(missing)} measured, {len(chosen) - len(missing)} unchanged: {path}")
