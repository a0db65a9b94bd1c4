"""A cell library of a few cells, whose tables are straight lines, so that delays can be worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable

SLEWS, LOADS = (0.01, 0.1, 1.0), (0.001, 0.01, 0.1)
CAPACITANCE = {"rise": 0.002, "fall": 0.003}
SETUP = {"rise": 0.05, "fall": 0.04}

# Name: area, inputs, output, its function, what it does to an edge, and the intrinsic delay of [rise, fall] in ns.
GATES = {
    "INV": (1.0, "A", "Y", "!A", "negative_unate", (0.02, 0.01)),
    "BUF": (1.5, "A", "Y", "A", "positive_unate", (0.04, 0.03)),
    "BUF_LARGE": (2.5, "A", "Y", "(A)", "positive_unate", (0.03, 0.02)),
    "NAND2": (2.0, "AB", "Y", "!(A*B)", "negative_unate", (0.03, 0.02)),
    "NAND2_LARGE": (3.0, "AB", "Y", "(!A) | (!B)", "negative_unate", (0.03, 0.02)),
    "NOR2": (2.0, "AB", "Y", "(A+B)'", "negative_unate", (0.05, 0.02)),
    "XOR2": (4.0, "AB", "Y", "A^B", "non_unate", (0.06, 0.05)),
}
FLIP_FLOP_AREA, FLIP_FLOP_DELAY = 8.0, (0.15, 0.14)
VOLTAGE, LEAKAGE = 2.0, 7.0
OUTPUT_ENERGY = {"rise": 0.3, "fall": 0.1}
CLOCK_ENERGY = {"rise": 0.05, "fall": 0.03}


def delay(intrinsic: float, slew: float, load: float) -> float:
    """Return the delay of a gate in ns: the straight line that all its tables hold."""
    return intrinsic + 0.2 * slew + 3 * load


def transition(slew: float, load: float) -> float:
    """Return the slew at a gate's output in ns."""
    return 0.01 + 0.05 * slew + 2 * load


def energy(start: float, slew: float, load: float) -> float:
    """Return what a cell itself spends when its output changes, in pJ."""
    return start + 0.5 * slew + 4 * load


def setup(edge: str, clock: float, data: float) -> float:
    """Return the setup time of the flip-flop in ns."""
    return SETUP[edge] + 0.1 * clock + 0.3 * data


def library(without: Iterable[str] = ()) -> str:
    """Return the library in Liberty, without the cells of these names."""
    cells = [_gate(name, *gate) for name, gate in GATES.items() if name not in without]
    if "DFF" not in without:
        cells.append(_flip_flop())
    axes = 'index_1 ("1, 2, 3"); index_2 ("1, 2, 3");'
    return f"""\
/* Straight lines,
   for tests. */
library (tiny) {{
  time_unit : "1ns"; capacitive_load_unit (1, pf); leakage_power_unit : "1nW"; nom_voltage : {VOLTAGE};
  lu_table_template (delay) {{ variable_1 : input_net_transition; variable_2 : total_output_net_capacitance; {axes} }}
  power_lut_template (spent) {{ variable_1 : input_transition_time; variable_2 : total_output_net_capacitance; {axes} }}
  power_lut_template (taken) {{ variable_1 : input_transition_time; index_1 ("1, 2, 3"); }}
  lu_table_template (check) {{ variable_1 : related_pin_transition; variable_2 : constrained_pin_transition; {axes} }}
{"".join(cells)}}}
"""


def _gate(
    name: str, area: float, inputs: str, output: str, function: str, sense: str, intrinsic: tuple[float, float]
) -> str:
    arcs = "".join(
        f"timing () {{ related_pin : {pin}; timing_sense : {sense}; {_arc(intrinsic)} }}\n" + _spent(pin)
        for pin in inputs
    )
    pins = "".join(_input(pin) for pin in inputs)
    return (
        f"  cell ({name}) {{ area : {area}; cell_leakage_power : {LEAKAGE};\n{pins}"
        f'    pin ({output}) {{ direction : output; function : "{function}";\n{arcs}}}\n  }}\n'
    )


def _flip_flop() -> str:
    constraints = "".join(
        _table(f"{edge}_constraint", "check", SLEWS, [[setup(edge, c, d) for d in SLEWS] for c in SLEWS])
        for edge in SETUP
    )
    taken = "".join(
        f"{edge}_power (taken) {{ index_1 ({_row(SLEWS)}); values ({_row([pj] * 3)}); }}"
        for edge, pj in CLOCK_ENERGY.items()
    )
    return f"""\
  cell (DFF) {{ area : {FLIP_FLOP_AREA}; cell_leakage_power : {2 * LEAKAGE};
    ff (IQ, IQN) {{ clocked_on : "CK"; next_state : "D"; }}
    {_input("CK", f"clock : true; internal_power () {{ {taken} }}")}
    {_input("D", f"timing () {{ related_pin : CK; timing_type : setup_rising; {constraints} }}")}
    pin (Q) {{ direction : output; function : "IQ";
      timing () {{ related_pin : CK; timing_type : rising_edge; {_arc(FLIP_FLOP_DELAY)} }}
      {_spent("CK")} }}
  }}
"""


def _input(name: str, more: str = "") -> str:
    capacitances = "".join(f"{edge}_capacitance : {value}; " for edge, value in CAPACITANCE.items())
    return f"    pin ({name}) {{ direction : input; capacitance : 0.0025; {capacitances}{more} }}\n"


def _arc(intrinsic: tuple[float, float]) -> str:
    text = ""
    for edge, start in zip(("rise", "fall"), intrinsic, strict=True):
        text += _table(f"cell_{edge}", "delay", LOADS, [[delay(start, s, c) for c in LOADS] for s in SLEWS])
        text += _table(f"{edge}_transition", "delay", LOADS, [[transition(s, c) for c in LOADS] for s in SLEWS])
    return text


def _spent(pin: str) -> str:
    tables = "".join(
        _table(f"{edge}_power", "spent", LOADS, [[energy(start, s, c) for c in LOADS] for s in SLEWS])
        for edge, start in OUTPUT_ENERGY.items()
    )
    return f"internal_power () {{ related_pin : {pin}; {tables} }}\n"


def _row(numbers: Iterable[float]) -> str:
    return f'"{", ".join(f"{number:.9f}" for number in numbers)}"'


def _table(name: str, template: str, second: tuple[float, ...], values: list[list[float]]) -> str:
    rows = ", \\\n  ".join(_row(numbers) for numbers in values)
    return f"{name} ({template}) {{ index_1 ({_row(SLEWS)}); index_2 ({_row(second)}); values ({rows}); }}\n"
