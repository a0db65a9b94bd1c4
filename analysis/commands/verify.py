"""`dyad verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ...models.errors import InputError, unknown
from ..terminal import Json, Seed, report, show, working

COUNTS = ("mode", "vectors", "failures", "exhaustive")


def verify(
    *pe: str,
    all: bool = False,
    lanes: int | None = None,
    gates: bool = False,
    liberty: Path | None = None,
    fpga: Literal["ecp5"] | None = None,
    seed: Seed = 0,
    waves: Path | None = None,
    json: Json = None,
) -> int:
    """Compare circuits with their golden arithmetic in RTL simulation, or what synthesis has made of them.

    Parameters
    ----------
    pe
        Names of processing elements; all when left out.
    all
        All processing elements, in so many words.
    lanes
        Lanes of a cell; the default of each processing element when left out.
    gates
        Run the same bench on gates: one cell and what surrounds it, mapped to the cells of a library.
    fpga
        With --gates: what it is on an FPGA of this family, instead of cells of a library.
    liberty
        That library, a .lib or .lib.gz file; the one that `dyad synth` would take when left out.
    seed
        What the random vectors come from.
    waves
        Write the waveforms of the one processing element to this VCD file, of a short run: a few random segments of
        its first variant. Waveforms of failures are written in any case, to build/verify.
    json
        Also write the results to this file: `seed`; `results`, a list of `pe`, `parameters`, `mode`, `vectors`,
        `failures`, `exhaustive`, `examples` (some failures in words), `uncovered` (what of formats and mode switches
        was not tried) and `waves` (the file with the waveforms of the failures).

    Returns
    -------
    int
        1 if any vector failed, else 0.
    """
    from ...models.pe import in_words, names

    if all and pe:
        raise InputError(f"--all contradicts {pe[0]}: name processing elements, or take all of them")
    chosen = pe or names()
    for name in chosen:
        if name not in names():
            raise unknown("processing element", name, names())
    if waves is not None and len(chosen) != 1:
        raise InputError(f"--waves {waves} takes one processing element, not {len(chosen)}: {', '.join(chosen)}")

    if liberty is not None and not gates:
        raise InputError(f"--liberty {liberty} is for --gates")
    if fpga is not None and (not gates or liberty is not None):
        raise InputError(f"--fpga {fpga} is for --gates, without --liberty")

    from ...hw import files
    from ...hw.verify import verify as run

    files.check(waves, json)
    library = None
    if gates and fpga is None:
        from ...hw.synthesis import process

        library = process.library(liberty)

    results = []
    for name in chosen:
        with working(f"verifying {name}"):
            results += run(name, seed=seed, waves=waves, lanes=lanes, library=library, ecp5=fpga == "ecp5")
    show(
        ("pe", "parameters", *COUNTS),
        ([each["pe"], in_words(each["parameters"]), *(each[name] for name in COUNTS)] for each in results),
        title=f"seed {seed}",
    )
    vectors, failures = (sum(result[name] for result in results) for name in ("vectors", "failures"))
    print(f"{vectors:,} vectors, {failures:,} failures")
    for result in results:
        for example in result["examples"]:
            print(example)
        if result["uncovered"]:
            print(f"{result['pe']} {result['mode']}: not tried: {', '.join(result['uncovered'])}")
    for waveforms in sorted({result["waves"] for result in results if result["waves"]}):
        print(f"waveforms of failures: {waveforms}")
    report(json, {"seed": seed, "results": results})
    return 1 if failures else 0
