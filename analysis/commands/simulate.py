"""`dyad simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..precision import precision
from ..terminal import Json, report, show, working


def simulate(
    network: str,
    /,
    *,
    accelerator: str = "edge",
    phase: Literal["prefill", "decode"] | None = None,
    tokens: int | None = None,
    batch: int | None = None,
    weight: str | None = None,
    group: int | None = None,
    activation: str | None = None,
    json: Json = None,
    trace: Path | None = None,
    program: Path | None = None,
    html: Path | None = None,
) -> None:
    """Simulate a network on an accelerator: cycles, utilization and energy, layer by layer.

    Parameters
    ----------
    network
        Short name of a network, or an ONNX file.
    accelerator
        Short name of an accelerator, or a YAML file.
    phase
        Language models: a whole prompt at once, or one more token.
    tokens
        Language models: length of the context.
    batch
        Images, or independent sequences, at once.
    weight
        Format of the weights: elements such as int4, or a block format such as int4_channel or uint4_g64_z.
    group
        Weights that share a scale.
    activation
        Format of the activations, int8 when left out; results that are int8 are then fp16 or, for posits, that posit.
    json
        Also write the results to this file: `network`, `accelerator`, `cycles`, `seconds` at the accelerator's clock,
        `energy_pj`, `energy_from`, `macs`, `utilization`, `skipped` (operators that the engine does not execute, with
        their number) and `layers`, a list of `name`, `count`, `m`, `k`, `n`, `weight`, `activation`, `macs`, `cycles`,
        `energy_pj`, `energy_by_part_pj`, `utilization` and `busy` (share of the cycles in which each unit worked).
        Figures of a layer count all its instances.
    trace
        Also write a trace of every instruction to this file, for ui.perfetto.dev.
    program
        Also write the instructions of every layer to this file, in text form; layers of one shape share theirs.
    html
        Also write a report with plots to this file.
    """
    from ...hw import files
    from ...models import accelerator as accelerators
    from ...models import networks
    from ...sim.simulate import simulate as run
    from .. import summary
    from ..precision import with_activations

    options = {"phase": phase, "tokens": tokens, "batch": batch, "weight": weight, "group": group}
    given = {name: value for name, value in options.items() if value is not None}
    files.check(json, trace, program, html)
    hardware = accelerators.load(accelerator)
    shapes = networks.load(network, **given | precision(weight, group))
    if activation is not None:
        shapes = with_activations(shapes, activation)
    with working(f"simulating {shapes.name}") as say:
        result = run(shapes, hardware, progress=lambda layer: say(f"simulating {shapes.name}: {layer}"))
    title = f"{shapes.name} on {hardware.name}" + (f" ({shapes.source})" if shapes.source else "")
    show(summary.LAYER_COLUMNS, summary.layers(result), title=title)
    print()
    show(("total", ""), summary.totals(result))
    report(json, result.report())
    if trace is not None:
        from ...hw import files
        from ...sim.trace import text

        with working(f"writing {trace}"):
            files.write(trace, text(result))
    if program is not None:
        files.write(program, (one.program.text for one in {id(one.program): one for one in result.layers}.values()))
    if html is not None:
        from ..pages import network_page

        command = ["dyad simulate", network, "--accelerator", accelerator]
        command += [f"--{name} {value}" for name, value in given.items()]
        with working(f"writing {html}"):
            files.write(html, network_page(result, " ".join(command)))
