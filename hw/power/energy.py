"""Energy of a mapped netlist from how often its nets change.

Three parts, all from the library: what charges the inputs of cells, C V^2 / 2 for each change; what a cell itself
spends when one of its pins changes, by tables at the slew of that pin and the load of its output; and leakage.
A pin's capacitance counts for the cell that has it, so that every station pays for what it loads others with.

There are no wires, the clock is ideal (its pins count, its tree does not), and gates change once a cycle at most: the
simulation has no delays, hence no glitches. All three leave out energy, of ours and of what ours is compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from ..synthesis.cells import FALL, RISE, Pin
from ..synthesis.tile import MappedTile
from ..synthesis.timing import slews

Slews = Mapping[int, tuple[float, float]]


class Meter:
    """Turns counted changes of nets into energies of stations."""

    def __init__(self, tile: MappedTile) -> None:
        self._tile = tile
        library, cells = tile.library, tile.netlist["cells"]
        found = slews(tile.netlist, library, tile.around.load)
        # Where only inputs of the circuit arrive, edges are as slow as elsewhere.
        self._slew = tuple(median(each[edge] for each in found.values()) if found else 0.0 for edge in (RISE, FALL))
        outputs = (port["bits"] for port in tile.netlist["ports"].values() if port["direction"] == "output")
        loads = {bit: tile.around.load for bits in outputs for bit in bits if isinstance(bit, int)}
        for each in cells.values():
            for pin, bits in each["connections"].items():
                if bits and isinstance(bits[0], int):
                    loads[bits[0]] = loads.get(bits[0], 0.0) + sum(library[each["type"]].pins[pin].capacitance) / 2
        self._per_change: list[tuple[str, int, float]] = []
        for name, each in cells.items():
            cell = library[each["type"]]
            nets = {pin: bits[0] for pin, bits in each["connections"].items() if bits and isinstance(bits[0], int)}
            for pin, net in nets.items():
                pj = self._cell_energy(cell.pins[pin], nets, net, found, loads[net])
                if not cell.pins[pin].output:
                    pj += sum(cell.pins[pin].capacitance) / 2 * library.voltage**2 / 2
                self._per_change.append((tile.stations[name], net, pj))

    def _cell_energy(self, pin: Pin, nets: Mapping[str, int], net: int, found: Slews, load: float) -> float:
        """Return what the cell spends, on average over its tables, for a change of the pin."""
        spent = []
        for power in pin.power:
            if power.related and power.related not in nets:
                continue  # a constant makes nothing change
            rise, fall = found.get(nets[power.related] if power.related else net, self._slew)
            slew = rise if rise > 0 else self._slew[RISE], fall if fall > 0 else self._slew[FALL]
            spent += [
                table.at(slew[edge], load if pin.output else 0.0)
                for edge, table in enumerate(power.energy)
                if table is not None
            ]
        return sum(spent) / len(spent) if spent else 0.0

    def spent(self, changes: Mapping[int, int]) -> dict[str, float]:
        """Return the pJ that each station spent, without leakage.

        Parameters
        ----------
        changes : of each net of the netlist.
        """
        total = dict.fromkeys(self._tile.areas, 0.0)
        for station, net, pj in self._per_change:
            total[station] += pj * changes.get(net, 0)
        return total

    @property
    def leakage(self) -> dict[str, float]:
        """Leakage of each station, uW."""
        total = dict.fromkeys(self._tile.areas, 0.0)
        for name, each in self._tile.netlist["cells"].items():
            total[self._tile.stations[name]] += self._tile.library[each["type"]].leakage / 1000
        return total
