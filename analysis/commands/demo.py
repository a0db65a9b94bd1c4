"""`dyad demo`."""

from __future__ import annotations

from pathlib import Path

from ..terminal import Json, Seed, report, show, working


def demo(*, accelerator: str = "edge", seed: Seed = 0, json: Json = None, html: Path | None = None) -> int:
    """Tell the whole story on real data: accuracy, cycles and energy, and a network run on the circuit.

    Parameters
    ----------
    accelerator
        Short name of an accelerator, or a YAML file.
    seed
        Chooses the calibration images and the image that goes through the circuit.
    json
        Also write the results to this file: `seed`, `network`, `accelerator`, `images`, `float_accuracy`; `variants`,
        for each format of weights the report of `dyad simulate` with `weights` and `accuracy`; `crosscheck`, with
        `accelerator`, `image` and `results`, a list of `weights`, `bits_equal`, `cycles` (`simulator`, `rtl`) and
        `prediction`; and `large`, a list of reports of `dyad simulate` with `source`.
    html
        Where to write the report with plots; build/demo/report.html when left out.

    Returns
    -------
    int
        1 if the circuit differs from the golden arithmetic in any bit, or from the simulator in any cycle, else 0.
    """
    with working("starting") as say:
        from ...hw import files, toolchain
        from ...models import accelerator as accelerators
        from .. import story
        from ..demo import demo as run

        files.check(json, html)
        told = run(accelerators.load(accelerator), seed, progress=say)
    for table in story.tables(told):
        show(table.columns, table.rows, title=table.title)
        print()
    bits = "equal" if all(check.bits_equal for check in told.checks) else "DIFFER"
    cycles = "equal" if all(check.simulator == check.rtl for check in told.checks) else "DIFFER"
    print(f"circuit against golden arithmetic and simulator: bits {bits}, cycles {cycles}")
    print(f"energy from: {told.variants[0].result.energy_from}")
    report(json, told.report())
    if html is None:
        html = toolchain.BUILD / "demo" / "report.html"
        html.parent.mkdir(parents=True, exist_ok=True)
    with working(f"writing {html}"):
        from ..pages import demo_page

        files.write(html, demo_page(told, f"dyad demo --accelerator {accelerator} --seed {seed}"))
    print(f"report with plots: {html}")
    return 0 if all(check.equal for check in told.checks) else 1
