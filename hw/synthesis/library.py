"""A cell library, read from a Liberty file: units are ns, pF, pJ, nW and um2 whatever the file's."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ...models.errors import InputError
from . import liberty
from .boolean import truth
from .cells import EDGES, FALL, RISE, Arc, Cell, Pin, Power, State, Table
from .liberty import Group

# Which of the variables of a table comes first in ours; the other is a load or the slew of the data.
_FIRST = ("input_net_transition", "input_transition_time", "related_pin_transition")


@dataclass(frozen=True)
class Library:
    """A cell library.

    Parameters
    ----------
    name : as the file calls it.
    text : the file.

    Raises
    ------
    InputError : if the file is not Liberty, or lacks the cells that synthesis needs; which ones is said.
    """

    name: str
    text: str = field(repr=False)
    _group: Group = field(repr=False, compare=False)
    _cells: dict[str, Cell] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, path: Path) -> Library:
        """Return the library of a file, which may be compressed by gzip."""
        try:
            data = path.read_bytes()
            text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from None
        except (EOFError, UnicodeDecodeError):
            raise InputError(f"{path} is not a Liberty file") from None
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, source: str) -> Library:
        """Return the library of a Liberty text; `source` is what errors call it."""
        group = liberty.parse(text, source)
        library = cls(group.arguments[0], text, group)
        needed = {
            "two-input NAND": library._gates(2, 0b0111),
            "inverter": library._gates(1, 0b01),
            "buffer": library._gates(1, 0b10),
            "D flip-flop for a rising clock": [each for each in group.all("cell") if _is_flip_flop(each)],
        }
        if missing := [kind for kind, cells in needed.items() if not cells]:
            raise InputError(f"{source} has no {' and no '.join(missing)}, which synthesis needs")
        return library

    @cached_property
    def nand2_area(self) -> float:
        """Area of the smallest two-input NAND, um2: the unit of NAND2 equivalents."""
        return min(cell.number("area") for cell in self._gates(2, 0b0111))

    @cached_property
    def buffers(self) -> list[str]:
        """Names of the buffers, the smallest first."""
        cells = self._gates(1, 0b10)
        return [cell.arguments[0] for cell in sorted(cells, key=lambda cell: (cell.number("area"), cell.arguments))]

    def __getitem__(self, name: str) -> Cell:
        """Return a cell by name; KeyError if there is none."""
        if name not in self._cells:
            self._cells[name] = self._cell(self._groups[name])
        return self._cells[name]

    def __contains__(self, name: object) -> bool:
        return name in self._groups

    @cached_property
    def _groups(self) -> dict[str, Group]:
        return {cell.arguments[0]: cell for cell in self._group.all("cell")}

    @cached_property
    def _templates(self) -> dict[str, Group]:
        kinds = ("lu_table_template", "power_lut_template")
        return {template.arguments[0]: template for kind in kinds for template in self._group.all(kind)}

    @cached_property
    def _nanoseconds(self) -> float:
        """What the file's unit of time is in ns."""
        return _unit(self._group.attributes.get("time_unit", "1ns"), {"ns": 1.0, "ps": 1e-3})

    @cached_property
    def voltage(self) -> float:
        """Supply voltage, V."""
        conditions = self._group.first("operating_conditions")
        voltage = self._group.number("nom_voltage", conditions.number("voltage") if conditions else 0.0)
        if voltage <= 0:
            raise InputError(f"{self.name} says no voltage, nom_voltage or that of operating_conditions, in V")
        return voltage

    @cached_property
    def _nanowatts(self) -> float:
        """What the file's unit of leakage is in nW."""
        return _unit(self._group.attributes.get("leakage_power_unit", "1nW"), {"pW": 1e-3, "nW": 1.0, "uW": 1e3})

    @cached_property
    def _picofarads(self) -> float:
        """What the file's unit of capacitance is in pF."""
        unit = self._group.attributes.get("capacitive_load_unit", "1, pf").replace('"', "").replace(",", "")
        return _unit(unit.lower(), {"pf": 1.0, "ff": 1e-3})

    def _gates(self, inputs: int, table: int) -> list[Group]:
        """Return the cells that do nothing but compute this function of so many inputs."""
        return [cell for cell in self._group.all("cell") if _truth(cell, inputs) == table]

    def _cell(self, group: Group) -> Cell:
        pins = {pin.arguments[0]: self._pin(pin) for pin in group.all("pin")}
        leakage = [each.number("value") for each in group.all("leakage_power")] or [0.0]
        typical = group.number("cell_leakage_power", sum(leakage) / len(leakage))
        return Cell(group.number("area"), typical * self._nanowatts, pins, _state(group))

    def _pin(self, group: Group) -> Pin:
        output = group.attributes.get("direction") == "output"
        typical = group.number("capacitance", self._group.number(f"default_{'out' if output else 'in'}put_pin_cap"))
        rise, fall = (group.number(f"{edge}_capacitance", typical) * self._picofarads for edge in ("rise", "fall"))
        arcs, setup = [], []
        for timing in group.all("timing"):
            kind = timing.attributes.get("timing_type", "combinational")
            if kind.startswith("setup_"):
                setup.append(self._tables(timing, "rise_constraint", "fall_constraint"))
            elif kind.startswith("combinational") or kind in ("rising_edge", "falling_edge"):
                delay = self._tables(timing, "cell_rise", "cell_fall")
                slew = self._tables(timing, "rise_transition", "fall_transition")
                launch = kind.endswith("_edge")
                sense = {
                    "positive_unate": ((RISE,), (FALL,)),
                    "negative_unate": ((FALL,), (RISE,)),
                }.get("" if launch else timing.attributes.get("timing_sense", ""), (EDGES, EDGES))
                for related in timing.attributes.get("related_pin", "").split():
                    arcs.append(Arc(related, launch, sense, delay, slew))
        power = tuple(
            Power(related, (self._power(each.first("rise_power")), self._power(each.first("fall_power"))))
            for each in group.all("internal_power")
            for related in each.attributes.get("related_pin", "").split() or [""]
        )
        function = group.attributes.get("function", "")
        return Pin(output, (rise, fall), tuple(arcs), tuple(setup), function, power)

    def _power(self, group: Group | None) -> Table | None:
        """Return a table of energies, in pJ: Liberty's unit of them is that of capacitance times V^2."""
        table = self._table(group)
        if table is None:
            return None
        unit = self._picofarads / self._nanoseconds
        return table._replace(values=[[unit * value for value in row] for row in table.values])

    def _tables(self, timing: Group, rise: str, fall: str) -> tuple[Table | None, Table | None]:
        return self._table(timing.first(rise)), self._table(timing.first(fall))

    def _table(self, group: Group | None) -> Table | None:
        if group is None:
            return None
        template = self._templates.get(group.arguments[0], Group("", []))
        try:
            variables = [template.attributes.get(f"variable_{i}", "") for i in (1, 2)]
            axes = [
                liberty.numbers(group.attributes.get(f"index_{i}", template.attributes.get(f"index_{i}", "")))
                for i in (1, 2)
            ]
            values = liberty.numbers(group.attributes["values"])
        except (KeyError, ValueError):
            raise InputError(f"{self.name}: a table of {group.name} cannot be read") from None
        units = [self._picofarads if "capacitance" in name else self._nanoseconds for name in variables]
        first, second = ([unit * point for point in axis] or [0.0] for unit, axis in zip(units, axes, strict=True))
        if len(values) != len(first) * len(second):
            raise InputError(
                f"{self.name}: a table of {group.name} has {len(values)} values on {len(first)} x {len(second)} points"
            )
        rows = [
            [self._nanoseconds * value for value in values[row * len(second) : (row + 1) * len(second)]]
            for row in range(len(first))
        ]
        # Tables may have their variables in either order, and those of one variable either of them.
        if variables[0] in _FIRST or not variables[0]:
            return Table(first, second, rows)
        return Table(second, first, [*zip(*rows, strict=True)])


def _unit(text: str, sizes: dict[str, float]) -> float:
    match = re.fullmatch(r"\s*([\d.]+)\s*(\w+)\s*", text)
    if match is None or match[2] not in sizes:
        raise InputError(f"unit {text!r} of a Liberty file is none of {', '.join(sizes)}")
    return float(match[1]) * sizes[match[2]]


def _truth(cell: Group, inputs: int) -> int | None:
    """Return the truth table of a cell with so many inputs and one output, without state; None for other cells."""
    if cell.attributes.get("dont_use") == "true" or cell.first("ff") or cell.first("latch"):
        return None
    directions: dict[str, list[Group]] = {"input": [], "output": []}
    for pin in cell.all("pin"):
        directions.setdefault(pin.attributes.get("direction", ""), []).append(pin)
    if [len(pins) for pins in directions.values()] != [inputs, 1]:
        return None
    return truth(
        directions["output"][0].attributes.get("function", ""), [pin.arguments[0] for pin in directions["input"]]
    )


def _state(cell: Group) -> State | None:
    ff = cell.first("ff")
    if ff is None:
        return None
    names = ff.arguments[0], ff.arguments[-1]
    return State(names, *(ff.attributes.get(name, "") for name in ("clocked_on", "next_state", "clear", "preset")))


def _is_flip_flop(cell: Group) -> bool:
    """Whether a cell is a flip-flop that takes its data on a rising clock; it may have set and reset inputs."""
    state = cell.first("ff")
    inputs = {pin.arguments[0] for pin in cell.all("pin") if pin.attributes.get("direction") == "input"}
    return state is not None and inputs.issuperset(state.attributes.get(name) for name in ("next_state", "clocked_on"))
