"""`dyad crosscheck`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...models.errors import InputError
from ..terminal import Json, Seed, report, show, working

if TYPE_CHECKING:
    from ...models.network import Layer


def crosscheck(
    *,
    accelerator: str = "tiny",
    pe: str | None = None,
    gemm: str | None = None,
    weight: str = "int4",
    activation: str | None = None,
    group: int | None = None,
    zero_point: bool = False,
    relu: bool = False,
    output: str = "int8",
    random: int | None = None,
    largest: int = 200,
    seed: Seed = 0,
    waves: Path | None = None,
    json: Json = None,
) -> int:
    """Run matrix products on golden arithmetic, simulator and RTL, and compare bits and cycles.

    Parameters
    ----------
    accelerator
        Short name or file of the accelerator; its engine is simulated by Verilator.
    pe
        Processing element instead of that of the accelerator, in all its variants; `all` for one after another.
    gemm
        M,K,N of the product C[M,N] = A[M,K] W[K,N].
    weight
        Format of the weights: elements such as int4, or a block format such as int4_channel or uint4_g64_z.
    activation
        Format of the activations; when left out, that of the processing element's first mode.
    group
        Length of a quantization group along K; one scale per column when left out.
    zero_point
        Whether weights have zero points.
    relu
        Whether a ReLU follows.
    output
        Format of the results: int8, fp16 or fp32.
    random
        Instead of one product, check so many programs of random sizes, precisions and memory timings, some of several
        products with the mode switched between them.
    largest
        Largest M, K and N of random products.
    seed
        What all values are drawn from.
    waves
        Write the waveforms of the circuit to this VCD file.
    json
        Also write the result to this file: `bits_equal`, `cycles` (`simulator` and `rtl`, summed), `seed`, `cases`.

    Returns
    -------
    int
        1 if any bits or cycles differ, else 0.
    """
    from ...hw import files
    from ...models.accelerator import load
    from ...models.pe import names, variants

    if (gemm is None) == (random is None):
        raise InputError("crosscheck takes either --gemm M,K,N or --random COUNT")
    for option, value in (("random", random), ("largest", largest), ("group", group)):
        if value is not None and value < 1:
            raise InputError(f"--{option} {value}: it must be at least 1")
    files.check(waves, json)
    machine = load(accelerator)
    from ..cases import prepare, random_cases, with_pe
    from ..crosscheck import check

    machines = [machine]
    if pe is not None:
        chosen = names() if pe == "all" else (pe,)
        machines = [with_pe(machine, name, **parameters) for name in chosen for parameters in variants(name)]
    verdicts = []
    for machine in machines:
        if random is not None:
            cases = list(random_cases(machine, random, seed, largest))
        else:
            cases = [
                prepare(
                    _layer(
                        gemm or "",
                        weight,
                        activation or machine.pe.modes[0].activation,
                        group,
                        zero_point,
                        relu,
                        output,
                    ),
                    machine,
                    seed,
                )
            ]
        with working(f"running {len(cases)} program{'s' * (len(cases) > 1)} on the RTL of {machine.name}"):
            verdicts += check(cases, waves)

    columns = (
        "cell",
        "M,K,N",
        "operands",
        "output",
        "B/cycle",
        "latency",
        "overhead",
        "bits",
        "simulator",
        "rtl",
        "overlap",
    )
    rows = []
    for verdict in verdicts:
        memory = verdict.case.program.accelerator.memory
        rows.append(
            (
                verdict.case.program.accelerator.pe.name,
                *("\n".join(texts) for texts in zip(*map(_in_words, verdict.case.layers), strict=True)),
                memory.bytes_per_cycle,
                memory.latency,
                memory.burst_overhead,
                "equal" if verdict.bits_equal else "DIFFER",
                verdict.simulator,
                verdict.rtl,
                verdict.overlap,
            )
        )
    show(columns, rows, title=f"seed {seed}; simulator, rtl, overlap (of load and multiply) in cycles")
    for verdict in verdicts:
        if verdict.difference:
            print(f"{verdict.case.layers[0].name}: {verdict.difference}")
    bits_equal = all(verdict.bits_equal for verdict in verdicts)
    cycles = {
        "simulator": sum(verdict.simulator for verdict in verdicts),
        "rtl": sum(verdict.rtl for verdict in verdicts),
    }
    agree = all(verdict.agrees for verdict in verdicts)
    print(
        f"{len(verdicts)} checked: bits {'equal' if bits_equal else 'DIFFER'}, cycles {'equal' if agree else 'DIFFER'}"
    )
    report(
        json,
        {
            "accelerator": accelerator,
            "pe": [each.pe.name for each in machines],
            "seed": seed,
            "bits_equal": bits_equal,
            "cycles_equal": all(verdict.simulator == verdict.rtl and not verdict.difference for verdict in verdicts),
            "cycles": cycles,
            "cases": [verdict.report() for verdict in verdicts],
        },
    )
    return 0 if agree else 1


def _in_words(layer: Layer) -> tuple[str, str, str]:
    """Return sizes, operand formats and output of a layer."""
    weight = layer.weight + (f"_g{layer.group}" if layer.group else "") + ("_z" if layer.zero_point else "")
    output = ("relu " if layer.relu else "") + layer.output
    return f"{layer.m},{layer.k},{layer.n}", f"{weight} x {layer.activation}", output


def _layer(
    size: str, weight: str, activation: str, group: int | None, zero_point: bool, relu: bool, output: str
) -> Layer:
    from ...models.errors import unknown
    from ...models.network import gemm
    from ...models.program.isa import OUTPUTS
    from ..precision import precision

    if output not in OUTPUTS:
        raise unknown("output format", output, OUTPUTS)
    try:
        m, k, n = (int(part) for part in size.split(","))
    except ValueError:
        raise InputError(f"--gemm {size!r} is not three whole numbers M,K,N, such as 16,128,32") from None
    options: dict[str, Any] = {
        "weight": weight,
        "activation": activation,
        "group": group,
        "zero_point": zero_point,
        "relu": relu,
        "output": output,
    }
    return gemm("product", m, k, n, **options | precision(weight, group))
