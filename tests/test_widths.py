"""Fields of instructions are as wide in an engine as its programs need them."""

from __future__ import annotations

import numpy as np
import pytest

from dyad.models import accelerator
from dyad.models.network import gemm
from dyad.models.program.isa import FIELDS, KINDS
from dyad.models.program.program import compile_layers
from dyad.models.program.widths import widths

from .cases import ODD, convolution


def programs(machine):
    """Programs whose blocks fill the buffers, in one dimension or another."""
    sizes = [(1, 1, 1), (500, 16, 3), (3, 2000, 5), (2, 16, 700), (90, 400, 90)]
    layers = [gemm("product", *size, weight=machine.pe.modes[0].weight) for size in sizes]
    if machine.pe.modes[0].activation == "int8" and "fp32" in machine.pe.outputs:
        rng = np.random.default_rng(1)
        layers += [convolution(rng, machine.k) for _ in range(10)]
    return [compile_layers([layer], machine).instructions for layer in layers]


@pytest.mark.parametrize(
    "machine", [*map(accelerator.load, ("tiny", "icebreaker", "ulx3s")), ODD], ids=lambda m: m.name
)
def test_every_field_of_every_program_fits(machine):
    largest = {kind: dict.fromkeys(FIELDS[kind], 0) for kind in KINDS}
    for program in programs(machine):
        for instruction in program:
            found = largest[type(instruction)]
            found.update({name: max(most, getattr(instruction, name)) for name, most in found.items()})
    for kind in KINDS:
        bits = widths(kind, machine)
        assert list(bits) == list(FIELDS[kind])
        for name, most in largest[kind].items():
            assert most < 1 << bits[name] <= 1 << FIELDS[kind][name], (kind.__name__, name)


def test_a_small_engine_needs_fewer_bits():
    machine = accelerator.load("icebreaker")
    for kind in KINDS:
        saved = [name for name, bits in widths(kind, machine).items() if bits < FIELDS[kind][name]]
        assert {"rows", "length", "offset", "columns", "steps", "weight"} & set(FIELDS[kind]) <= set(saved)
        assert not set(saved) & {"address", "stride"}
