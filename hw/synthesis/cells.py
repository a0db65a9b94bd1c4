"""The cells of a library, as timing, area and power need them: ns, pF, pJ, nW and um2."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

RISE, FALL = EDGES = (0, 1)


class Table(NamedTuple):
    """A function of two numbers, given at the points of a grid.

    Attributes
    ----------
    first, second : the grid: slew of the input or of the clock, in ns; load in pF or slew of the data in ns.
    values : a row for each of `first`: ns, or pJ.
    """

    first: Sequence[float]
    second: Sequence[float]
    values: Sequence[Sequence[float]]

    def at(self, first: float, second: float) -> float:
        """Return the value there: linear between the points of the grid, and beyond them as between the last two."""
        row, x = _place(self.first, first)
        column, y = _place(self.second, second)
        low = self.values[row][column]
        across = (self.values[row][column + 1] - low) * y if y else 0.0
        if not x:
            return low + across
        above = self.values[row + 1][column]
        return low + across + x * (above - low - across + ((self.values[row + 1][column + 1] - above) * y if y else 0))


def _place(axis: Sequence[float], value: float) -> tuple[int, float]:
    """Return the index of the point below `value`, and how far it is from there to the next, 1 being all the way."""
    if len(axis) == 1:
        return 0, 0.0
    index = min(max(bisect_right(axis, value) - 1, 0), len(axis) - 2)
    return index, (value - axis[index]) / (axis[index + 1] - axis[index])


class Arc(NamedTuple):
    """How one pin of a cell depends on another.

    Attributes
    ----------
    related : the pin it depends on.
    launch : whether that is a clock, whose edge makes the pin change.
    sense : edges of the related pin that can cause each edge of the pin: [rise, fall].
    delay, slew : tables of the pin's edges, [rise, fall]; None where the arc has no such edge.
    """

    related: str
    launch: bool
    sense: tuple[tuple[int, ...], tuple[int, ...]]
    delay: tuple[Table | None, Table | None]
    slew: tuple[Table | None, Table | None]


class Power(NamedTuple):
    """What a cell itself spends when one of its pins changes, without what charges the pin's load.

    Attributes
    ----------
    related : the pin that makes it change; empty at an input.
    energy : tables of pJ for an edge of the pin, [rise, fall]; None where it has none.
    """

    related: str
    energy: tuple[Table | None, Table | None]


class Pin(NamedTuple):
    """A pin of a cell.

    Attributes
    ----------
    output : whether the cell drives it.
    capacitance : for [rise, fall], pF.
    arcs : those that end in it.
    setup : tables of its setup times, [rise, fall].
    function : what it shows, as Liberty writes it: of inputs, or of the state of a flip-flop.
    power : what its changes cost in the cell.
    """

    output: bool
    capacitance: tuple[float, float]
    arcs: tuple[Arc, ...]
    setup: tuple[tuple[Table | None, Table | None], ...]
    function: str
    power: tuple[Power, ...]


class State(NamedTuple):
    """The state of a flip-flop: its names, true and complemented, and functions of the cell's inputs; "" is never."""

    names: tuple[str, str]
    clock: str
    next: str
    clear: str
    preset: str


class Cell(NamedTuple):
    """A cell: its area in um2, its leakage in nW, its pins, and the state of a flip-flop."""

    area: float
    leakage: float
    pins: dict[str, Pin]
    state: State | None

    @property
    def is_register(self) -> bool:
        return any(arc.launch for pin in self.pins.values() for arc in pin.arcs)
