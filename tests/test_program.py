"""Programs: what they leave in memory is what the processing element's arithmetic says, whatever the shape."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from dyad.analysis.cases import prepare
from dyad.models import accelerator
from dyad.models.accelerator import Accelerator
from dyad.models.errors import InputError
from dyad.models.network import Layer, gemm
from dyad.models.program import interpret
from dyad.models.program.assembly import assemble, parse
from dyad.models.program.blocking import Blocking, choose
from dyad.models.program.isa import UNITS, Load, Multiply, unit, units
from dyad.models.program.program import compile_layers
from dyad.models.unfold import unfold

from .cases import ODD, convolution, product

TINY, EDGE = accelerator.load("tiny"), accelerator.load("edge")


def run(layer: Layer, machine: Accelerator, seed: int = 0) -> None:
    case = prepare(layer, machine, seed)
    memory = case.memory.copy()
    interpret.run(case.program, memory)
    assert case.program.read_output(memory).tobytes() == case.golden[0].tobytes()


@pytest.mark.parametrize("machine", [TINY, ODD, EDGE], ids=lambda machine: machine.name)
@pytest.mark.parametrize("shape", [product, convolution])
def test_programs_compute_their_layer(machine: Accelerator, shape) -> None:
    rng = np.random.default_rng(1)
    for seed in range(60):
        run(shape(rng, machine.k), machine, seed)


@pytest.mark.parametrize(
    "size",
    [(1, 1, 1), (1, 300, 1), (1, 1, 90), (90, 1, 1), (4, 2, 4), (5, 3, 5), (64, 64, 64), (3, 130, 7)],
    ids=lambda size: "x".join(map(str, size)),
)
@pytest.mark.parametrize("group", [None, 128])
def test_edge_shapes(size: tuple[int, int, int], group: int | None) -> None:
    for output in ("int8", "fp16", "fp32"):
        run(gemm("edge", *size, weight="uint4", zero_point=True, group=group, output=output), TINY)


def test_every_way_to_cut_a_layer_gives_the_same_bits() -> None:
    layer = gemm("cut", 21, 70, 19, weight="int8", group=16, zero_point=True, output="fp32")
    case = prepare(layer, TINY, seed=3)
    quantized_memory = case.memory
    tried = 0
    for rows in (4, 8, 21):
        for columns in (4, 12, 19):
            for depth in (16, 48, 70):
                for weights_first in (True, False):
                    blocking = Blocking(layer, TINY, rows, columns, depth, weights_first)
                    if not blocking.fits:
                        continue
                    again = prepare(layer, TINY, seed=3, blocking=blocking)
                    memory = again.memory.copy()
                    interpret.run(again.program, memory)
                    assert again.program.read_output(memory).tobytes() == case.golden[0].tobytes(), blocking
                    tried += 1
    assert tried > 20
    assert len(quantized_memory) > 0


def test_a_chain_with_padding_strides_and_a_flattening(digits_program) -> None:
    network, program, images = digits_program
    memory = program.memory(network.layers)
    program.write_input(memory, images)
    interpret.run(program, memory)
    golden = network.forward(program.accelerator.pe, images)
    for placement, outputs in zip(program.placements, golden, strict=True):
        image = placement.output
        stored = np.ascontiguousarray(image.view(memory)).view(outputs.dtype)
        assert stored.reshape(outputs.shape).tobytes() == outputs.tobytes(), placement.blocking.layer.name


def test_tokens_are_balanced_and_flow_forward() -> None:
    """After every layer no token is left, and no instruction waits for one that only a later instruction gives."""
    rng = np.random.default_rng(5)
    for index in range(60):
        layer = (product, convolution)[index % 2](rng, TINY.k)
        tokens: Counter[tuple[int, int]] = Counter()
        for code in compile_layers([layer], TINY).instructions:
            for giver in units(code.wait):
                tokens[giver, unit(code)] -= 1
                assert tokens[giver, unit(code)] >= 0, f"{assemble([code])} waits for {UNITS[giver]} in vain"
            for taker in units(code.signal):
                tokens[unit(code), taker] += 1
                assert tokens[unit(code), taker] < 16, "more tokens than the circuit's counters hold"
        assert not +tokens


def test_the_text_form_of_a_program_is_the_program() -> None:
    program = compile_layers([gemm("first", 9, 40, 12), gemm("second", 9, 12, 5, output="fp32")], TINY)
    assert list(parse(program.text)) == program.instructions
    assert "# second" in program.text
    assert [code.fence for code in program.instructions].count(1) == 2


def test_weights_that_fit_are_loaded_once() -> None:
    program = compile_layers([gemm("resident", 400, 64, 16)], EDGE)
    loads = [code for code in program.instructions if isinstance(code, Load)]
    multiplies = [code for code in program.instructions if isinstance(code, Multiply)]
    assert len(multiplies) > 1
    assert [code.buffer for code in loads].count(1) == 1


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (gemm("g", 4, 300, 4, group=7), "layer 'g': group size 7 is not a multiple of the tile's k = 2"),
        (
            gemm("g", 4, 9000, 4, group=9000),
            "layer 'g': a group of 9000 products in mode int4xint8 can overflow the 24-bit accumulator of mixpe, which "
            "holds 6552; use smaller groups or raise pe.accumulator_bits",
        ),
        (gemm("g", 4, 30, 4, weight="int12"), "mixpe multiplies int1..int8 or uint1..uint8 by int8, not int12 by int8"),
    ],
)
def test_layers_that_do_not_suit_are_refused(layer: Layer, message: str) -> None:
    with pytest.raises(InputError) as error:
        compile_layers([layer], TINY)
    assert str(error.value) == message


def test_smaller_groups_are_no_advice_where_they_do_not_help() -> None:
    machine = replace(TINY, buffers=replace(TINY.buffers, accumulator=64))
    with pytest.raises(InputError, match=r"buffers.accumulator is 64 bytes, it must be at least 128$"):
        choose(gemm("big", 64, 256, 64, group=128), machine)


def test_sums_that_could_overflow_int32_are_refused() -> None:
    with pytest.raises(InputError, match="K = 70000 products of uint8 could sum to 33"):
        compile_layers([gemm("long", 1, 70000, 1, weight="uint8")], EDGE)


def test_a_block_that_does_not_fit_says_what_to_change() -> None:
    machine = replace(TINY, buffers=replace(TINY.buffers, weight=256))
    with pytest.raises(InputError) as error:
        choose(gemm("big", 64, 4096, 64, group=4096), machine)
    message = str(error.value)
    assert message.startswith(
        "layer 'big': its smallest block does not fit accelerator 'tiny': buffers.activation is 8192 bytes, it must be"
    )
    size = int(message.split("at least ")[1].split(",")[0])
    bigger = replace(machine, buffers=replace(machine.buffers, activation=size, weight=1 << 18))
    assert choose(gemm("big", 64, 4096, 64, group=4096), bigger).depth == 4096


def test_chains_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(InputError, match=r"layer 'b' takes images of 1x4x9, but 'a' gives 1x4x8"):
        compile_layers([gemm("a", 4, 4, 8), gemm("b", 4, 9, 8)], TINY)
    with pytest.raises(InputError, match=r"layer 'a' gives fp16, but 'b' takes int8"):
        compile_layers([gemm("a", 4, 4, 8, output="fp16"), gemm("b", 4, 8, 8)], TINY)
    padded = Layer("padded", channels=64, filters=4, kernel_height=2, kernel_width=2, padding=1)
    with pytest.raises(InputError, match=r"layer 'padded' takes images of 1x1x64, but 'c' gives 4x4x4"):
        compile_layers([Layer("c", channels=2, filters=4, height=4, width=4), padded], TINY)
    with pytest.raises(InputError, match="at least one layer"):
        compile_layers([], TINY)


def test_unfold_is_the_matrix_that_the_loads_gather() -> None:
    layer = Layer("c", channels=3, filters=4, height=5, width=6, kernel_height=3, kernel_width=2, stride=2, padding=1)
    images = np.arange(5 * 6 * 3, dtype=np.int8).reshape(1, 5, 6, 3)
    matrix = unfold(images, layer)
    assert matrix.shape == (layer.m, layer.k)
    run(layer, ODD)
