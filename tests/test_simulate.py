"""Network simulation and energy: sums, utilisation, and energies that can be counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dyad.models import accelerator, networks
from dyad.models.network import Network, gemm
from dyad.models.program.isa import Finish, Load, Multiply, Store
from dyad.models.program.program import compile_layers
from dyad.sim.energy import Energy, costs, energy
from dyad.sim.machine import Machine
from dyad.sim.simulate import simulate

TINY, EDGE, SERVER = (accelerator.load(name) for name in ("tiny", "edge", "server"))
TABLE = costs()


def test_a_network_is_the_sum_of_its_layers() -> None:
    layers = (gemm("a", 30, 20, 10), gemm("b", 30, 10, 7), gemm("c", 5, 60, 8, count=3))
    result = simulate(Network("sum", layers), TINY)
    assert [one.run.cycles for one in result.layers] == [
        Machine(TINY).run(compile_layers([layer], TINY).instructions).cycles for layer in layers
    ]
    first, second, third = result.layers
    assert result.cycles == first.run.cycles + second.run.cycles + 3 * third.run.cycles
    assert result.energy.total == pytest.approx(
        first.energy.total + second.energy.total + 3 * third.energy.total, rel=1e-12
    )
    report = result.report()
    assert report["macs"] == sum(layer["macs"] for layer in report["layers"]) == result.network.macs
    assert report["cycles"] == sum(layer["cycles"] for layer in report["layers"])
    assert report["energy_pj"] == pytest.approx(sum(layer["energy_pj"] for layer in report["layers"]))


def test_layers_of_one_shape_are_simulated_once() -> None:
    seen: list[str] = []
    layers = tuple(gemm(f"same {index}", 8, 16, 16) for index in range(5))
    simulate(Network("same", layers), TINY, progress=seen.append)
    assert seen == ["same 0"]


def test_utilisation_is_useful_products_over_possible_ones() -> None:
    result = simulate(
        Network("full", (gemm("full", 64, 4096, 64, output="int8"),)),
        replace(EDGE, memory=replace(EDGE.memory, bytes_per_cycle=16, latency=0, burst_overhead=0)),
    )
    (layer,) = result.layers
    assert layer.ideal == 64 * 4096 * 64 / 1024
    assert result.utilization == layer.ideal / result.cycles
    wide = simulate(Network("wide", (gemm("wide", 64, 4096, 64, weight="int8"),)), EDGE)
    assert wide.layers[0].ideal == 2 * layer.ideal


@pytest.mark.parametrize("name", ["resnet18", "llama2-7b", "bitnet-3b", "digits-cnn", "digits-mlp"])
@pytest.mark.parametrize("machine", [EDGE, SERVER], ids=lambda machine: machine.name)
def test_every_network_runs_and_no_tile_does_more_than_it_can(name: str, machine) -> None:
    options = {"tokens": 256} if name in ("llama2-7b", "bitnet-3b") else {}
    result = simulate(networks.load(name, **options), machine)
    assert all(0 < layer.utilization <= 1 for layer in result.layers)
    assert result.seconds == pytest.approx(result.cycles / (machine.clock_mhz * 1e6))


def test_energy_of_single_instructions() -> None:
    op, sram = TABLE.operations, TABLE.sram_byte
    load = Load(0, rows=2, length=6, address=0)
    assert energy(TINY, [load], TABLE) == Energy(buffers=12 * sram(8192), memory=2 * 8 * TABLE.dram)
    store = Store(rows=2, length=6, address=0)
    assert energy(TINY, [store], TABLE) == Energy(buffers=12 * sram(2048), memory=2 * 8 * TABLE.dram)
    finish = Finish(0, rows=5, columns=2, accumulator=0, parameter=0, output=0, pitch=1)
    spent = energy(TINY, [finish], TABLE)
    assert spent.output == pytest.approx(2 * 5 * 4 * op["multiply_32x16"])
    one = Multiply(
        0, rows=4, columns=1, groups=1, steps=10, last_steps=10, activation=0, pitch=0, weight=0, accumulator=0
    )
    narrow, wide = energy(TINY, [one], TABLE), energy(TINY, [one._replace(mode=2)], TABLE)
    products = 10 * 4 * 4 * 2
    accumulate = op["add_32"] * 24 / 32
    assert narrow.cells == pytest.approx(products * (op["multiply_8x4"] + accumulate) + 10 * 4 * 2 * accumulate)
    assert wide.cells == pytest.approx(2 * products * (op["multiply_8x4"] + accumulate) + 10 * 4 * 2 * accumulate)
    # A step reads 4 x 2 activations and a word of 4 bytes; 4 rows of 4 accumulators are read and written.
    assert narrow.buffers == pytest.approx(10 * 8 * sram(8192) + 10 * 4 * sram(8192) + 2 * 4 * 16 * sram(2048))
    larger = replace(TINY, buffers=replace(TINY.buffers, activation=1 << 15))
    assert energy(larger, [one], TABLE).buffers - narrow.buffers == pytest.approx(
        10 * 8 * (sram(1 << 15) - sram(8192)), rel=1e-6
    )
    scaled = energy(TINY, [one._replace(scaled=1, parameters=1)], TABLE)
    assert scaled.finish == pytest.approx(16 * (op["float32_add"] + op["float32_multiply"] + op["multiply_32x16"]))


def test_the_table_holds_what_was_published() -> None:
    assert TABLE.sram_byte(8192) == pytest.approx(10 / 8)
    assert TABLE.sram_byte(32768) == pytest.approx(20 / 8)
    assert TABLE.sram_byte(1 << 20) == pytest.approx(100 / 8)
    assert TABLE.sram_byte(16384) == pytest.approx((10 / 8 * 20 / 8) ** 0.5)
    assert TABLE.sram_byte(4096) < TABLE.sram_byte(8192) < TABLE.sram_byte(1 << 21)
    assert TABLE.dram == pytest.approx(1300 / 8)
    published = {"add_8": 0.03, "add_32": 0.1, "multiply_8x8": 0.2, "float32_add": 0.9, "float32_multiply": 3.7}
    assert {name: TABLE.operations[name] for name in published} == published
    assert TABLE.operations["multiply_8x4"] == published["multiply_8x8"] / 2
    assert TABLE.operations["multiply_32x16"] == 3.1 / 2
    assert TABLE.status == "published" and "45 nm" in TABLE.label


def test_energies_add_up_and_scale() -> None:
    one, two = Energy(1, 2, 3, 4, 5), Energy(10, 20, 30, 40, 50)
    assert one + two == Energy(11, 22, 33, 44, 55)
    assert one * 3 == Energy(3, 6, 9, 12, 15)
    assert one.total == 15
