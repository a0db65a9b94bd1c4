"""`dyad verify`."""

from __future__ import annotations

from pathlib import Path

from ...models.errors import InputError, unknown
from ..terminal import Json, Seed, report, show, working


def verify(*pe: str, seed: Seed = 0, waves: Path | None = None, json: Json = None) -> int:
    """Compare circuits with their golden arithmetic in RTL simulation.

    Parameters
    ----------
    pe
        Names of processing elements; all when left out.
    seed
        What the random vectors come from.
    waves
        Write the waveforms of the one processing element to this VCD file, of a short run: a few random segments.
    json
        Also write the results to this file: `seed`; `results`, a list of `pe`, `mode`, `vectors`, `failures`,
        `exhaustive` and `examples`, some failures in words.

    Returns
    -------
    int
        1 if any vector failed, else 0.
    """
    from ...models.pe import names

    chosen = pe or names()
    for name in chosen:
        if name not in names():
            raise unknown("processing element", name, names())
    if waves is not None and len(chosen) != 1:
        raise InputError(f"--waves {waves} takes one processing element, not {len(chosen)}: {', '.join(chosen)}")

    from ...hw import files
    from ...hw.verify import verify as run

    files.check(waves, json)

    results = []
    for name in chosen:
        with working(f"verifying {name}"):
            results += run(name, seed=seed, waves=waves)
    columns = ("pe", "mode", "vectors", "failures", "exhaustive")
    show(columns, ([result[column] for column in columns] for result in results), title=f"seed {seed}")
    for result in results:
        for example in result["examples"]:
            print(example)
    report(json, {"seed": seed, "results": results})
    return 1 if any(result["failures"] for result in results) else 0
