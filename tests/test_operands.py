"""Operands in other formats than int8: how they are quantized, packed, laid out in memory and refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from dyad.analysis.cases import prepare, with_pe
from dyad.analysis.cli import main
from dyad.models import accelerator, formats
from dyad.models.errors import InputError
from dyad.models.network import Layer, gemm
from dyad.models.pe import get
from dyad.models.pe.words import join, pack, unpack
from dyad.models.products.matmul import matmul
from dyad.models.program import interpret
from dyad.models.program.program import compile_layers
from dyad.models.program.timing import multiply_cycles

TINY = accelerator.load("tiny")


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_packed_numbers_come_back(bits):
    numbers = np.random.default_rng(bits).integers(-(1 << bits - 1), 1 << bits - 1, (3, 16))
    data = pack(numbers, bits)
    assert data.shape == (3, 2 * bits)
    assert np.array_equal(unpack(data, bits), numbers & (1 << bits) - 1)
    assert int.from_bytes(data[0].tobytes(), "little") == int(
        sum(int(n & (1 << bits) - 1) << bits * i for i, n in enumerate(numbers[0]))
    )


def test_words_hold_the_first_number_lowest():
    assert join(np.array([[1, -1, 3, 0]]), 4, 2).tolist() == [[0xF1, 0x03]]


@pytest.mark.parametrize("element", ["posit(8,0)", "e4m3", "e2m1", "fp16"])
def test_floats_and_posits_have_a_scale_for_each_channel(element):
    x = np.random.default_rng(3).normal(size=(64, 4)) * [1, 10, 0, 0.01]
    form = formats.parse(f"{element}_channel")
    tensor = form.quantize(x, axis=0)
    scales = tensor.scale_values
    assert scales.shape == (1, 4) and scales[0, 2] == 1
    assert np.array_equal(tensor.codes, form.element.encode(x / scales))
    if element.startswith("posit"):
        assert np.allclose((x / scales)[:, [0, 1, 3]].std(axis=0), 1, rtol=0.2)
    else:
        assert np.allclose(np.abs(x / scales).max(axis=0)[[0, 1, 3]], form.element.maximum)


def test_groups_are_of_integers():
    with pytest.raises(InputError, match=r"elements of a quantization group must be integers, not e4m3"):
        formats.parse("e4m3_g32")


@pytest.mark.parametrize(
    ("name", "weight", "activation"),
    [
        ("mixpe", "int4", "fp16"),
        ("xr_npe", "e2m1", "e2m1"),
        ("xr_npe", "posit(16,1)", "posit(16,1)"),
        ("lut", "int2", "e4m3"),
    ],
)
def test_a_program_of_odd_sizes_gives_the_golden_result(name, weight, activation):
    parameters = {"activation": activation} if name != "xr_npe" else {}
    if name == "lut":
        parameters |= {"weight_bits": 2, "serial": True}
    machine = with_pe(TINY, name, **parameters)
    for k in (1, 7, 33):
        case = prepare(gemm("odd", 5, k, 7, weight=weight, activation=activation, output="fp32"), machine, seed=k)
        memory = case.memory.copy()
        interpret.run(case.program, memory)
        assert case.program.read_output(memory).tobytes() == case.golden[0].tobytes()


def test_a_single_segment_of_posits_is_rounded_once():
    """What leaves the output stage is the exact sum in the format of the results, not that of a float32."""
    random = np.random.default_rng(1)
    posit = formats.scalar("posit(16,1)")
    a, q = (random.integers(0, 1 << 16, shape).astype(np.uint16) for shape in ((9, 40), (40, 11)))
    a[a == posit.nan], q[q == posit.nan] = 0, 0
    kind = formats.grouped("posit(16,1)")
    w = formats.grouped("posit(16,1)").quantize(np.ones((40, 11)), axis=0)
    w = replace(w, codes=q)
    total = get("xr_npe").accumulate(a, w, activation="posit(16,1)")
    expected = matmul((kind.element, a), (kind.element, q), output="posit(16,1)")
    assert np.array_equal(posit.encode(total.astype(np.float64)), expected)


def test_headers_take_their_cycles():
    machine = replace(accelerator.load("mx"))
    mode = machine.pe.modes[0]
    assert mode.header == 1
    plain = replace(mode, row_header=0, column_header=0)
    steps = 32 // machine.pe.lanes
    cycles = [multiply_cycles(machine, each, 64, 1, 50, 4 * steps, 4 * steps) for each in (plain, mode)]
    assert cycles[1] - cycles[0] == 4 * 50


@pytest.mark.parametrize(
    ("machine", "layer", "message"),
    [
        (
            "mx",
            gemm("g", 4, 64, 4, weight="int4"),
            "mx multiplies mxfp8_e4m3 by mxfp8_e4m3, nvfp4 by nvfp4.*, not int4 by int8",
        ),
        (
            "tiny",
            gemm("g", 4, 64, 4, output="posit(8,0)"),
            r"layer 'g': mixpe gives int8, fp16, fp32, not posit\(8,0\)",
        ),
        ("tiny", gemm("g", 4, 64, 4, activation="fp16"), "mixpe multiplies .* by int8, not int4 by fp16"),
        (
            "mx",
            Layer(
                "c",
                32,
                4,
                height=4,
                width=4,
                kernel_height=3,
                kernel_width=3,
                weight="nvfp4",
                activation="nvfp4",
                output="fp16",
            ),
            "layer 'c': activations of nvfp4 are for plain matrix products only",
        ),
    ],
)
def test_layers_that_do_not_suit_are_refused(machine, layer, message):
    with pytest.raises(InputError, match=message):
        compile_layers([layer], accelerator.load(machine))


def test_layers_of_a_chain_take_what_the_one_before_gives():
    layers = [gemm("one", 4, 8, 8, output="fp16"), gemm("two", 4, 8, 8)]
    with pytest.raises(InputError, match="layer 'one' gives fp16, but 'two' takes int8"):
        compile_layers(layers, TINY)


def test_a_network_is_simulated_in_another_format(tmp_path):
    path = tmp_path / "s.json"
    with pytest.raises(SystemExit) as end:
        main(
            [
                "simulate",
                "digits-mlp",
                "--weight",
                "posit(8,0)",
                "--activation",
                "posit(8,0)",
                "--accelerator",
                "xr_npe",
                "--json",
                str(path),
            ]
        )
    assert end.value.code in (None, 0)
    assert {layer["activation"] for layer in json.loads(path.read_text())["layers"]} == {"posit(8,0)"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["simulate", "digits-mlp", "--activation", "int9x"], "unknown format 'int9x'"),
        (["crosscheck", "--random", "2", "--pe", "mixpa"], "unknown processing element 'mixpa'; did you mean mixpe"),
        (["verify", "--all", "mixpe"], "--all contradicts mixpe"),
    ],
)
def test_bad_input_is_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
