"""The built-in cell library: Liberty, written from the figures of ``cells45.yaml`` by the rules of `cmos`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cache, cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from .cells import EDGES, RISE
from .cmos import Response, Stage, Technology, follow, resistance, respond
from .library import Library

SOURCE = Path(__file__).with_name("cells45.yaml")

# Points of the tables: slews in ns, and loads as shares of what a cell may drive.
SLEWS = (0.002, 0.01, 0.03, 0.08, 0.2)
SHARES = (0.005, 0.03, 0.1, 0.3, 1.0)

HEADER = """\
library ({name}) {{
  delay_model : table_lookup;
  time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1mA"; leakage_power_unit : "1nW";
  pulling_resistance_unit : "1kohm"; capacitive_load_unit (1, ff);
  nom_process : 1; nom_temperature : 25; nom_voltage : {voltage};
  operating_conditions (typical) {{ process : 1; temperature : 25; voltage : {voltage}; }}
  default_operating_conditions : typical; default_max_transition : {slowest};
  slew_lower_threshold_pct_rise : 30; slew_upper_threshold_pct_rise : 70;
  slew_lower_threshold_pct_fall : 30; slew_upper_threshold_pct_fall : 70;
  input_threshold_pct_rise : 50; input_threshold_pct_fall : 50;
  output_threshold_pct_rise : 50; output_threshold_pct_fall : 50;
  lu_table_template (delay) {{
    variable_1 : input_net_transition; index_1 ({slews}); variable_2 : total_output_net_capacitance; index_2 ({loads});
  }}
  power_lut_template (energy) {{
    variable_1 : input_transition_time; index_1 ({slews}); variable_2 : total_output_net_capacitance; index_2 ({loads});
  }}
  lu_table_template (check) {{ variable_1 : constrained_pin_transition; index_1 ({slews}); }}
"""

Output = Callable[[int, float, float], Response]
"""What a cell's output does: of its edge, the input's slew in ns and the load in fF."""


@cache
def library() -> Library:
    """Return the built-in library."""
    return Library.parse(text(), SOURCE.name)


def text() -> str:
    """Return the built-in library in Liberty."""
    data = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    figures = {name: figure["value"] for name, figure in data["figures"].items()}
    shared = [field.name for field in fields(Technology) if field.name in figures]
    technology = Technology(data["voltage"], **{name: figures[name] for name in shared})
    grid = {"slews": _row(SLEWS), "loads": _row([share * figures["reach"] for share in SHARES])}
    lines = [HEADER.format(name=data["name"], voltage=data["voltage"], slowest=SLEWS[-1], **grid)]
    for name, cell in data["cells"].items():
        for drive, area in cell["um2"].items():
            gate = _Gate(cell["function"], cell["stages"], drive, data["gates"], figures, technology)
            lines += _cell(f"{name}_X{drive}", area, gate.leakage, gate.lines())
    for name, cell in data["flip_flops"].items():
        for drive, area in cell["um2"].items():
            flip_flop = _flip_flop(cell, drive, figures, technology)
            lines += _cell(f"{name}_X{drive}", area, figures["flip_flop_leakage"] * area, flip_flop)
    return "".join([*lines, "}\n"])


@dataclass(frozen=True)
class _Gate:
    """A cell without state, as the file describes it, with one of its drives."""

    function: str
    stages: dict[str, list[str]]
    drive: int
    gates: dict[str, dict[str, Any]]
    figures: dict[str, Any]
    technology: Technology

    @cached_property
    def last(self) -> str:
        return list(self.stages)[-1]

    def size(self, name: str) -> float:
        return self.drive * (1 if name == self.last else self.figures["inner"])

    def pairs(self, net: str) -> float:
        """Return how many pairs of transistors a net drives in here."""
        return sum(self.size(name) * inputs.count(net) for name, (_, *inputs) in self.stages.items())

    def paths(self, net: str) -> Iterator[tuple[Stage, ...]]:
        """Yield the ways from a net to the output."""
        for name, (gate, *inputs) in self.stages.items():
            for (rise, fall), driver in zip(self.gates[gate]["series"], inputs, strict=True):
                if driver == net:
                    load = self.pairs(name) * self.technology.capacitance[RISE]
                    stage = Stage(self.size(name), len(inputs), (rise, fall), load)
                    yield from ((stage, *rest) for rest in (self.paths(name) if name != self.last else [()]))

    @property
    def leakage(self) -> float:
        once, by_input = self.figures["leakage"]
        return sum(
            self.size(name) * (once + by_input * (len(inputs) - 1)) for name, (_, *inputs) in self.stages.items()
        )

    def lines(self) -> Iterator[str]:
        pins = sorted({net for _, *nets in self.stages.values() for net in nets} - set(self.stages))
        paths = {pin: list(self.paths(pin)) for pin in pins}
        for pin in pins:
            yield _input(pin, [self.pairs(pin) * each for each in self.technology.capacitance])
        weakest = max(resistance(path[-1], self.technology, edge) for path in chain(*paths.values()) for edge in EDGES)
        reach = self.figures["reach"] * self.technology.resistance[RISE] / weakest
        yield _output(self.last, self.function, reach)
        for pin in pins:
            outputs = [self._follow(path) for path in paths[pin]]
            for path, output in zip(paths[pin], outputs, strict=True):
                sense = "negative_unate" if len(path) % 2 else "positive_unate"
                yield from _timing(f"related_pin : {pin}; timing_sense : {sense};", output, reach)
            yield f"      internal_power () {{ related_pin : {pin};\n"
            for edge, name in zip(EDGES, ("rise_power", "fall_power"), strict=True):
                yield _table(name, "energy", partial(_mean_energy, outputs, edge), reach)
            yield "      }\n"
        yield "    }\n"

    def _follow(self, path: tuple[Stage, ...]) -> Output:
        return lambda edge, slew, load: follow(path, self.technology, edge, slew, load)


def _mean_energy(outputs: list[Output], edge: int, slew: float, load: float) -> float:
    return sum(output(edge, slew, load).energy for output in outputs) / len(outputs)


def _flip_flop(cell: dict[str, Any], drive: int, figures: dict[str, Any], technology: Technology) -> Iterator[str]:
    """Yield a flip-flop: what it takes from the clock to its last inverter is given, then that inverter."""
    resets = {kind: cell[kind] for kind in ("clear", "preset") if kind in cell}
    state = "".join(f' {kind} : "!{pin}";' for kind, pin in resets.items())
    yield f'    ff (IQ, IQN) {{ clocked_on : "CK"; next_state : "D";{state} }}\n'
    last = Stage(drive, 1, (1, 1))
    early, limit = figures["clock_slew"]

    def output(edge: int, slew: float, load: float) -> Response:
        inverter = respond(last, technology, edge, figures["flip_flop_slew"], load)
        clock = figures["flip_flop_delay"][edge] + early * slew / (1 + slew / limit)
        return Response(clock + inverter.delay, inverter.slew, figures["flip_flop_energy"][edge])

    capacitance = [figures["flip_flop_pin"]] * 2
    setup = "".join(
        f"{name} (check) {{ values ({_row([first + by_slew * slew for slew in SLEWS])}); }} "
        for name, first, by_slew in zip(
            ("rise_constraint", "fall_constraint"), figures["setup"], figures["setup_slew"], strict=True
        )
    )
    data = f"timing () {{ related_pin : CK; timing_type : setup_rising; {setup}}} {_energy(figures['data_energy'])}"
    yield _input("D", capacitance, data)
    yield _input("CK", capacitance, f"clock : true; {_energy(figures['clock_energy'])}")
    for pin in resets.values():
        yield _input(pin, capacitance)
    reach = drive * figures["reach"]
    yield _output("Q", "IQ", reach)
    yield from _timing("related_pin : CK; timing_type : rising_edge;", output, reach)
    yield f"      {_energy(figures['flip_flop_energy'], 'related_pin : CK;')}\n    }}\n"


def _cell(name: str, area: float, leakage: float, content: Iterator[str]) -> Iterator[str]:
    yield f"  cell ({name}) {{\n    area : {area}; cell_leakage_power : {leakage:.4g};\n"
    yield from content
    yield "  }\n"


def _input(name: str, capacitance: list[float], more: str = "") -> str:
    rise, fall = capacitance
    edges = f"capacitance : {rise:.4g}; rise_capacitance : {rise:.4g}; fall_capacitance : {fall:.4g};"
    return f"    pin ({name}) {{ direction : input; {edges} {more} }}\n"


def _output(name: str, function: str, reach: float) -> str:
    return f'    pin ({name}) {{ direction : output; function : "{function}"; max_capacitance : {reach:.4g};\n'


def _timing(what: str, output: Output, reach: float) -> Iterator[str]:
    yield f"      timing () {{ {what}\n"
    for edge, name in zip(EDGES, ("rise", "fall"), strict=True):
        yield _table(f"cell_{name}", "delay", lambda *at, edge=edge: output(edge, *at).delay, reach)
        yield _table(f"{name}_transition", "delay", lambda *at, edge=edge: output(edge, *at).slew, reach)
    yield "      }\n"


def _table(name: str, template: str, value: Callable[[float, float], float], reach: float) -> str:
    loads = [share * reach for share in SHARES]
    rows = ", \\\n          ".join(_row([value(slew, load) for load in loads]) for slew in SLEWS)
    return f"        {name} ({template}) {{ index_2 ({_row(loads)}); values ( \\\n          {rows}); }}\n"


def _energy(edges: tuple[float, float], what: str = "") -> str:
    rise, fall = edges
    return (
        f'internal_power () {{ {what} rise_power (scalar) {{ values ("{rise}"); }} '
        f'fall_power (scalar) {{ values ("{fall}"); }} }}'
    )


def _row(numbers: list[float] | tuple[float, ...]) -> str:
    return f'"{", ".join(f"{number:.5g}" for number in numbers)}"'
