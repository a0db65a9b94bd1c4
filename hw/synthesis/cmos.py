"""How slow stages of static CMOS are, and what they spend: rules with figures of one technology.

A stage of drive w pulls its output through resistance r (1 + k (s - 1)) / w where s transistors are in series at most
(`resistance`, `series`), against its load and its own capacitance, w (c0 + c1 inputs) (`self_load`); their product d is
the delay for a steep input. A slower one adds

    slew_delay * slew / (1 + slew / (slew_limit * d))

and the slew of the output is hypot(transition * d, slew_through * slew). For an edge of its output it spends `energy`
of its own capacitance times V^2, and, while a slow input lets both sides conduct,

    w * crossing * slew / (1 + crossing_limit * transition * d / slew).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from typing import NamedTuple

from .cells import RISE

Edges = tuple[float, float]


@dataclass(frozen=True)
class Technology:
    """Figures of a technology, [rise, fall] of a stage's output where there are two; fF, kOhm, ns, fJ and V."""

    voltage: float
    capacitance: Edges
    resistance: Edges
    series: Edges
    self_load: tuple[float, float]
    transition: Edges
    slew_delay: Edges
    slew_limit: Edges
    slew_through: float
    energy: Edges
    crossing: float
    crossing_limit: float


class Stage(NamedTuple):
    """A stage of a cell as one of its inputs sees it.

    Attributes
    ----------
    drive : its size; an inverter of drive 1 is a pair of transistors.
    inputs : how many it has.
    series : how many transistors in series [raise, lower] the output through this input, at most.
    load : capacitance inside the cell that it drives, fF.
    """

    drive: float
    inputs: int
    series: tuple[int, int]
    load: float = 0.0


class Response(NamedTuple):
    """An edge of a stage's output: delay and slew in ns, and energy spent inside, in fJ."""

    delay: float
    slew: float
    energy: float


def resistance(stage: Stage, technology: Technology, edge: int) -> float:
    """Return the resistance through which a stage pulls its output up or down, kOhm."""
    in_series = 1 + technology.series[edge] * (stage.series[edge] - 1)
    return technology.resistance[edge] * in_series / stage.drive


def respond(stage: Stage, technology: Technology, edge: int, slew: float, load: float) -> Response:
    """Return what an input of this slew, in ns, makes of an edge of the output, which drives `load` in fF."""
    once, by_input = technology.self_load
    own = stage.drive * (once + by_input * stage.inputs)
    steep = 1e-3 * resistance(stage, technology, edge) * (own + stage.load + load)
    transition = technology.transition[edge] * steep
    added = technology.slew_delay[edge] * slew / (1 + slew / (technology.slew_limit[edge] * steep))
    crossing = stage.drive * technology.crossing * slew**2 / (slew + technology.crossing_limit * transition)
    inside = technology.energy[edge] * own + (stage.load if edge == RISE else 0.0)
    return Response(
        steep + added,
        hypot(transition, technology.slew_through * slew),
        inside * technology.voltage**2 + crossing,
    )


def follow(path: Sequence[Stage], technology: Technology, edge: int, slew: float, load: float) -> Response:
    """Return what an edge becomes along stages, each of which inverts it; `edge` is that of the last one's output."""
    delay = energy = 0.0
    for index, stage in enumerate(path):
        after = len(path) - 1 - index
        response = respond(stage, technology, edge ^ (after & 1), slew, 0.0 if after else load)
        delay, slew, energy = delay + response.delay, response.slew, energy + response.energy
    return Response(delay, slew, energy)
