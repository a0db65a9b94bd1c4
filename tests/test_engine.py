"""The engine's circuit under Verilator: the bits of the golden model and the cycles of the simulator, nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dyad.analysis.cases import Case, prepare, random_cases, with_pe
from dyad.analysis.crosscheck import check
from dyad.hw import engine
from dyad.hw.verilate import SimulationError
from dyad.models import accelerator
from dyad.models import pe as processing_elements
from dyad.models.errors import InputError
from dyad.models.network import gemm
from dyad.models.program import interpret
from dyad.models.program.program import compile_layers
from dyad.sim import machine as machine_module
from dyad.sim.machine import Machine
from dyad.sim.simulate import simulate as simulate_network

from .cases import ODD, convolution, product, small

TINY = accelerator.load("tiny")


def test_forty_random_products_agree() -> None:
    verdicts = check(list(random_cases(TINY, 40, seed=11)))
    assert [verdict.report() for verdict in verdicts if not verdict.agrees] == []
    assert len({verdict.case.program.accelerator.memory.bytes_per_cycle for verdict in verdicts}) == 2
    assert sum(verdict.overlap > 0 for verdict in verdicts) > 20
    sizes = np.array(
        [[getattr(layer, size) for size in "mkn"] for verdict in verdicts for layer in verdict.case.layers]
    )
    assert sizes.min() == 1 and sizes.max() > 150


def test_another_tile_agrees_too() -> None:
    rng = np.random.default_rng(7)
    cases = [prepare((product, convolution)[seed % 2](rng, ODD.k), ODD, seed) for seed in range(24)]
    assert [verdict.report() for verdict in check(cases) if not verdict.agrees] == []


def on_one_circuit(machine: accelerator.Accelerator, count: int, seed: int) -> list[Case]:
    """Those of `count` random programs that have the memory bandwidth of the accelerator, all of it."""
    cases, width = random_cases(machine, count, seed, largest=40), machine.memory.bytes_per_cycle
    return [case for case in cases if case.program.accelerator.memory.bytes_per_cycle == width]


def agree_everywhere(machine: accelerator.Accelerator, count: int) -> None:
    """Random programs agree."""
    verdicts = check(on_one_circuit(machine, 2 * count, seed=3))
    assert len(verdicts) >= count
    assert [verdict.report() for verdict in verdicts if not verdict.agrees] == []
    assert any(len(verdict.case.layers) > 1 for verdict in verdicts)
    tried = {(layer.weight, layer.activation) for verdict in verdicts for layer in verdict.case.layers}
    assert tried == {(mode.weight, mode.activation) for mode in machine.pe.modes}


@pytest.mark.parametrize("name", [name for name in processing_elements.names() if name != "mixpe"])
def test_every_processing_element_agrees(name: str) -> None:
    first, *_ = processing_elements.variants(name)
    agree_everywhere(with_pe(TINY, name, **first), 9)


@pytest.mark.parametrize("name", processing_elements.names())
def test_random_programs_of_every_variant_compile(name: str) -> None:
    for parameters in processing_elements.variants(name):
        cases = list(random_cases(with_pe(TINY, name, **parameters), 12, seed=0))
        assert max(layer.k for case in cases for layer in case.layers) > 80


@pytest.mark.slow
@pytest.mark.parametrize("name", processing_elements.names())
def test_every_variant_agrees(name: str) -> None:
    for parameters in processing_elements.variants(name):
        agree_everywhere(with_pe(TINY, name, **parameters), 9)


@pytest.mark.parametrize("machine", [small(m=4, n=4, k=2, drain=4, beat=4), small(m=1, n=8, k=2, drain=1, beat=4)])
def test_a_tile_that_drains_all_its_rows_at_once_agrees(machine) -> None:
    verdicts = check(on_one_circuit(machine, 16, seed=5))
    assert len(verdicts) >= 8
    assert [verdict.report() for verdict in verdicts if not verdict.agrees] == []


@pytest.mark.slow
def test_the_edge_engine_agrees() -> None:
    verdicts = check(list(random_cases(accelerator.load("edge"), 12, seed=2)))
    assert [verdict.report() for verdict in verdicts if not verdict.agrees] == []


@pytest.mark.parametrize("late", ["_load", "_multiply", "_finish", "_store"])
def test_one_cycle_too_many_is_noticed(monkeypatch: pytest.MonkeyPatch, late: str) -> None:
    honest = getattr(Machine, late)

    def planted(self, code):
        yield from honest(self, code)
        yield self._env.timeout(1)

    monkeypatch.setattr(machine_module.Machine, late, planted)
    (verdict,) = check([prepare(gemm("planted", 9, 40, 6, group=16), TINY, seed=0)])
    assert verdict.bits_equal and not verdict.agrees
    assert verdict.difference.startswith("simulator cycles") and late.strip("_") in verdict.difference


def test_one_bit_in_memory_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = engine.run

    def planted(jobs, **options):
        (result,) = honest(jobs, **options)
        result.memory[jobs[0].program.output.address] ^= 1
        return [result]

    monkeypatch.setattr(engine, "run", planted)
    (verdict,) = check([prepare(gemm("planted", 9, 40, 6), TINY, seed=0)])
    assert not verdict.bits_equal and not verdict.difference


def test_a_stalling_memory_changes_cycles_but_no_bits() -> None:
    rng = np.random.default_rng(9)
    cases = [prepare(product(rng, TINY.k), TINY, seed) for seed in range(10)]
    runs = engine.run([engine.Job(case.program, case.memory, stalls=0.4) for case in cases], seed=5)
    for case, run in zip(cases, runs, strict=True):
        memory = case.memory.copy()
        interpret.run(case.program, memory)
        assert run.memory.tobytes() == memory.tobytes()
        assert run.cycles > Machine(TINY).run(case.program.instructions).cycles


def test_the_digits_network_on_the_circuit(digits_program) -> None:
    network, program, images = digits_program
    memory = program.memory(network.layers)
    program.write_input(memory, images)
    (run,) = engine.run([engine.Job(program, memory)])
    logits = network.forward(TINY.pe, images)[-1].reshape(len(images), -1)
    assert program.read_output(run.memory).tobytes() == logits.tobytes()
    interpret.run(program, memory)
    assert run.memory.tobytes() == memory.tobytes()
    simulated = Machine(TINY).run(program.instructions)
    assert run.cycles == simulated.cycles == simulate_network(network.network, TINY).cycles
    assert sorted(run.spans) == sorted(simulated.spans)


def test_a_program_that_waits_for_ever_ends_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    program = compile_layers([gemm("stuck", 4, 4, 4)], TINY)
    stuck = [code._replace(signal=0) for code in program.instructions]
    monkeypatch.setitem(program.__dict__, "instructions", stuck)
    with pytest.raises(SimulationError, match="stuck since cycle"):
        engine.run([engine.Job(program, np.zeros(program.size, np.uint8))])


def test_one_simulation_is_one_circuit() -> None:
    programs = [compile_layers([gemm("one", 1, 1, 1)], machine) for machine in (TINY, replace(TINY, queue=8))]
    jobs = [engine.Job(program, np.zeros(program.size, np.uint8)) for program in programs]
    with pytest.raises(InputError, match="2 different circuits cannot run in one simulation"):
        engine.run(jobs)
