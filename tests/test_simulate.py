"""Network simulation and energy: sums, utilisation, and energies that can be counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dyad.models import accelerator, networks
from dyad.models.errors import InputError
from dyad.models.network import Network, gemm
from dyad.models.pe import get, names, variants
from dyad.models.program.isa import Finish, Load, Multiply, Store
from dyad.models.program.program import compile_layers
from dyad.sim.costs import Costs, costs
from dyad.sim.energy import Energy, energy
from dyad.sim.machine import Machine
from dyad.sim.simulate import simulate

TINY, EDGE, SERVER = (accelerator.load(name) for name in ("tiny", "edge", "server"))
STATIONS = ("dot", "row", "column", "finish", "output")
ROW = {
    "pe": "mixpe",
    "parameters": {"activation": "int8"},
    "lanes": 4,
    "leakage_uw": dict.fromkeys(STATIONS, 0.0),
    "idle_pj": dict.fromkeys(STATIONS, 0.0),
    "modes": {
        f"{weight}xint8": {"normal": dict(zip(STATIONS, (dot, 10.0, 20.0, 100.0, 200.0), strict=True))}
        for weight, dot in (("int4", 4.0), ("uint4", 5.0), ("int8", 6.0), ("uint8", 7.0))
    },
}
TABLE = Costs("handmade", "paper", (ROW,), "paper", costs().sram, costs().dram)


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


def spent(code, table=TABLE, cycles=0, machine=TINY):
    return energy(machine, [code], cycles, table)


MULTIPLY = Multiply(
    0, rows=4, columns=1, groups=1, steps=10, last_steps=10, activation=0, pitch=0, weight=0, accumulator=0
)


def test_energy_of_single_instructions() -> None:
    sram = TABLE.sram_byte
    load = Load(0, rows=2, length=6, address=0)
    assert spent(load) == Energy(buffers=12 * sram(8192), memory=2 * 8 * TABLE.dram)
    store = Store(rows=2, length=6, address=0)
    assert spent(store) == Energy(buffers=12 * sram(2048), memory=2 * 8 * TABLE.dram)
    finish = Finish(0, rows=5, columns=2, accumulator=0, parameter=0, output=0, pitch=1)
    assert spent(finish).output == 2 * 5 * 4 * 200
    narrow, wide = spent(MULTIPLY), spent(MULTIPLY._replace(mode=2))
    # A tile of 4 x 4 cells of 2 lanes, half of those that were measured; int8 weights take two cycles a step.
    assert narrow.cells == pytest.approx(10 * (16 * 4 / 2 + 4 * 10 / 2 + 4 * 20 / 2))
    assert wide.cells == pytest.approx(20 * (16 * 6 / 2 + 4 * 10 / 2 + 4 * 20 / 2))
    assert narrow.finish == 16 * 100
    # A step reads 4 x 2 activations and a word of 4 bytes; 4 rows of 4 accumulators are read and written.
    assert narrow.buffers == pytest.approx(10 * 8 * sram(8192) + 10 * 4 * sram(8192) + 2 * 4 * 16 * sram(2048))
    larger = replace(TINY, buffers=replace(TINY.buffers, activation=1 << 15))
    assert spent(MULTIPLY, machine=larger).buffers - narrow.buffers == pytest.approx(
        10 * 8 * (sram(1 << 15) - sram(8192)), rel=1e-6
    )


def test_what_idles_does_so_in_every_cycle() -> None:
    idle = ROW | {"idle_pj": dict(zip(STATIONS, (2.0, 4.0, 6.0, 8.0, 10.0), strict=True))}
    drained = TINY.tile.drain * 4
    per_cycle = (16 * 2 + 4 * 4 + 4 * 6) / 2 + drained * (8 + 10)
    assert spent(MULTIPLY, replace(TABLE, rows=(idle,)), cycles=7).idle == pytest.approx(7 * per_cycle)
    leaking = ROW | {"leakage_uw": dict.fromkeys(STATIONS, 3.0)}
    seconds = 1e-6 / TINY.clock_mhz
    watts = 3e-6 * ((16 + 4 + 4) / 2 + 2 * drained)
    assert spent(MULTIPLY, replace(TABLE, rows=(leaking,)), cycles=7).idle == pytest.approx(7e12 * watts * seconds)


def test_the_row_of_a_variant_is_found() -> None:
    other = ROW | {"parameters": {"activation": "fp16"}, "lanes": 1}
    table = replace(TABLE, rows=(other, ROW))
    assert table.of(TINY.pe).row is ROW
    assert "cells scaled from 4 to 2 lanes" in table.label(TINY.pe)
    assert "scaled" not in table.label(EDGE.pe)
    with pytest.raises(InputError, match=r"no figures for lut with modes .*; measure it with dyad characterize lut"):
        table.of(get("lut"))


@pytest.mark.parametrize("name", names())
def test_every_variant_has_been_measured(name: str) -> None:
    for parameters in variants(name):
        pe = get(name, **parameters)
        cost = costs().of(pe)
        assert cost.row["parameters"] == parameters
        for mode in pe.modes:
            assert all(cost.active(station, mode) >= 0 for station in STATIONS)
            assert 0 < cost.active("dot", mode) + cost.idle("dot", 1e-9) < 1000


def test_memories_cost_what_was_published() -> None:
    assert TABLE.sram_byte(8192) == pytest.approx(10 / 8)
    assert TABLE.sram_byte(32768) == pytest.approx(20 / 8)
    assert TABLE.sram_byte(1 << 20) == pytest.approx(100 / 8)
    assert TABLE.sram_byte(16384) == pytest.approx((10 / 8 * 20 / 8) ** 0.5)
    assert TABLE.sram_byte(4096) < TABLE.sram_byte(8192) < TABLE.sram_byte(1 << 21)
    assert TABLE.dram == pytest.approx(1300 / 8)


def test_energies_add_up_and_scale() -> None:
    one, two = Energy(1, 2, 3, 4, 5, 6), Energy(10, 20, 30, 40, 50, 60)
    assert one + two == Energy(11, 22, 33, 44, 55, 66)
    assert one * 3 == Energy(3, 6, 9, 12, 15, 18)
    assert one.total == 21
