"""Static timing analysis of a netlist: the longest path from a clock edge to the next, through tables of the library.

As static timing analysers do: every gate's delay and output slew come from its tables, at the slew of its input and the
load of the pins that it drives; where several inputs can cause an edge, the latest arrival and the slowest slew both go
on. The clock is ideal, and so are the wires. Inputs of the circuit start no path: they belong to no clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

from .cells import EDGES, FALL, RISE, Arc, Cell
from .library import Library

Bit = int
Netlist = Mapping[str, Any]


class Step(NamedTuple):
    """A gate on a path: its cell, the net it drives by its name in the source if it has one, and when that changes."""

    cell: str
    net: str | None
    edge: str
    arrival_ns: float


@dataclass(frozen=True)
class Path:
    """The longest path.

    Attributes
    ----------
    start, end : registers or outputs, as the source names their bits.
    ns : from the clock edge at the start to the one at the end: clock to output, gates, setup time.
    setup_ns : the last of these; 0 at an output of the circuit.
    steps : the start register and the gates after it.
    """

    start: str
    end: str
    ns: float
    setup_ns: float
    steps: tuple[Step, ...]


@dataclass
class _Event:
    """An edge of a net: when it arrives at the latest, how slow it is at most, and what caused it."""

    arrival: float
    slew: float
    cell: str
    cause: tuple[Bit, int] | None


@dataclass
class _Instance:
    """A cell of the netlist, and the nets at its pins; constants are at no net."""

    type: str
    cell: Cell
    nets: dict[str, Bit]

    def outputs(self) -> Iterator[tuple[Bit, tuple[Arc, ...]]]:
        for name, net in self.nets.items():
            if self.cell.pins[name].output:
                yield net, self.cell.pins[name].arcs

    def inputs(self) -> list[Bit]:
        return [net for name, net in self.nets.items() if not self.cell.pins[name].output]


def longest_path(netlist: Netlist, library: Library, load: float) -> Path | None:
    """Return the longest path of a circuit, or None if it has no registers.

    Parameters
    ----------
    netlist : a module as Yosys writes it in JSON, all of whose cells are in the library.
    library : its cells.
    load : capacitance at each output of the circuit, pF.
    """
    return _Analysis(netlist, library, load).longest()


def slews(netlist: Netlist, library: Library, load: float) -> dict[Bit, tuple[float, float]]:
    """Return how slow the edges of nets are at most, [rise, fall] in ns; that of none that only inputs reach."""
    analysis = _Analysis(netlist, library, load)
    analysis.propagate()
    found: dict[Bit, list[float]] = {}
    for (net, edge), event in analysis.events.items():
        found.setdefault(net, [event.slew, event.slew])[edge] = event.slew
    return {net: (each[RISE], each[FALL]) for net, each in found.items()}


@dataclass
class _Analysis:
    netlist: Netlist
    library: Library
    load: float
    instances: list[_Instance] = field(init=False)
    loads: dict[Bit, list[float]] = field(init=False, default_factory=dict)
    events: dict[tuple[Bit, int], _Event] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.instances = [
            _Instance(
                each["type"],
                self.library[each["type"]],
                {pin: bits[0] for pin, bits in each["connections"].items() if bits and isinstance(bits[0], int)},
            )
            for each in self.netlist["cells"].values()
        ]
        for instance in self.instances:
            for name, net in instance.nets.items():
                self._add_load(net, instance.cell.pins[name].capacitance)
        for net in self.outputs():
            self._add_load(net, (self.load, self.load))

    def _add_load(self, net: Bit, capacitance: tuple[float, float]) -> None:
        total = self.loads.setdefault(net, [0.0, 0.0])
        for edge in EDGES:
            total[edge] += capacitance[edge]

    def outputs(self) -> dict[Bit, str]:
        """Return the nets at the circuit's outputs, with the names of these."""
        ports = self.netlist["ports"].items()
        return {
            bit: _indexed(name, index, len(port["bits"]))
            for name, port in ports
            if port["direction"] == "output"
            for index, bit in enumerate(port["bits"])
            if isinstance(bit, int)
        }

    def longest(self) -> Path | None:
        return self._worst(self.propagate())

    def propagate(self) -> list[_Instance]:
        """Find when every net changes at the latest; return the registers."""
        registers = [instance for instance in self.instances if instance.cell.is_register]
        gates = [instance for instance in self.instances if not instance.cell.is_register]
        for register in registers:
            for net, arcs in register.outputs():
                for arc in arcs:
                    if arc.launch:
                        self._launch(register, net, arc)
        for gate in _in_order(gates):
            for net, arcs in gate.outputs():
                for arc in arcs:
                    if not arc.launch and arc.related in gate.nets:
                        self._pass(gate, net, arc)
        return registers

    def _launch(self, register: _Instance, net: Bit, arc: Arc) -> None:
        for edge in EDGES:
            self._arrive(register, net, edge, arc, 0.0, 0.0, None)

    def _pass(self, gate: _Instance, net: Bit, arc: Arc) -> None:
        for edge in EDGES:
            for cause in ((gate.nets[arc.related], before) for before in arc.sense[edge]):
                if (event := self.events.get(cause)) is not None:
                    self._arrive(gate, net, edge, arc, event.arrival, event.slew, cause)

    def _arrive(
        self,
        instance: _Instance,
        net: Bit,
        edge: int,
        arc: Arc,
        arrival: float,
        slew: float,
        cause: tuple[Bit, int] | None,
    ) -> None:
        delay, output_slew = arc.delay[edge], arc.slew[edge]
        if delay is None or output_slew is None:
            return
        load = self.loads[net][edge]
        arrival, slew = arrival + delay.at(slew, load), output_slew.at(slew, load)
        event = self.events.get((net, edge))
        if event is None:
            self.events[net, edge] = _Event(arrival, slew, instance.type, cause)
            return
        event.slew = max(event.slew, slew)
        if arrival > event.arrival:
            event.arrival, event.cell, event.cause = arrival, instance.type, cause

    def _worst(self, registers: list[_Instance]) -> Path | None:
        names = self._names()
        ends: list[tuple[float, float, str, tuple[Bit, int]]] = []
        for register in registers:
            name = next((names[net] for net, _ in register.outputs() if net in names), "a register")
            for pin, net in register.nets.items():
                for tables in register.cell.pins[pin].setup:
                    for edge, table in enumerate(tables):
                        event = self.events.get((net, edge))
                        if event is not None and table is not None:
                            setup = table.at(0.0, event.slew)
                            ends.append((event.arrival + setup, setup, name, (net, edge)))
        for net, name in self.outputs().items():
            for edge in EDGES:
                if (net, edge) in self.events:
                    ends.append((self.events[net, edge].arrival, 0.0, name, (net, edge)))
        if not ends:
            return None
        ns, setup, end, last = max(ends)
        steps = []
        cause: tuple[Bit, int] | None = last
        while cause is not None:
            event = self.events[cause]
            steps.append(Step(event.cell, names.get(cause[0]), ("rise", "fall")[cause[1]], event.arrival))
            cause = event.cause
        steps.reverse()
        return Path(steps[0].net or "a register", end, ns, setup, tuple(steps))

    def _names(self) -> dict[Bit, str]:
        """Return the names of nets in the source; the shortest of several."""
        names: dict[Bit, str] = {}
        for name, net in self.netlist["netnames"].items():
            if not net["hide_name"]:
                for index, bit in enumerate(net["bits"]):
                    full = _indexed(name, index, len(net["bits"]))
                    if bit not in names or (len(full), full) < (len(names[bit]), names[bit]):
                        names[bit] = full
        return names


def _indexed(name: str, index: int, width: int) -> str:
    return f"{name}[{index}]" if width > 1 else name


def _in_order(gates: list[_Instance]) -> Iterator[_Instance]:
    """Yield gates after those that drive them."""
    drivers = {net: index for index, gate in enumerate(gates) for net, _ in gate.outputs()}
    graph = {index: [drivers[net] for net in gate.inputs() if net in drivers] for index, gate in enumerate(gates)}
    for index in TopologicalSorter(graph).static_order():
        yield gates[index]
