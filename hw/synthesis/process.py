"""Which cell library to synthesize for, and what to assume around the circuit."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ...models.errors import InputError
from .cells import FALL, RISE
from .library import Library

# Below PDK_ROOT, as the installers of the open PDKs (volare, ciel, open_pdks) lay them out: typical corners.
OPEN_PDKS = (
    "sky130A/libs.ref/sky130_fd_sc_hd/lib/sky130_fd_sc_hd__tt_025C_1v80.lib",
    "ihp-sg13g2/libs.ref/sg13g2_stdcell/lib/sg13g2_stdcell_typ_1p20V_25C.lib",
    "gf180mcuD/libs.ref/gf180mcu_fd_sc_mcu7t5v0/lib/gf180mcu_fd_sc_mcu7t5v0__tt_025C_5v00.lib",
)


@dataclass(frozen=True)
class Surroundings:
    """What drives a circuit's inputs and what its outputs drive, so that synthesis sizes and buffers its gates.

    Parameters
    ----------
    driving_cell : cell in front of every input.
    load : capacitance at every output, pF.
    clock : period that synthesis aims at, ns.
    """

    driving_cell: str
    load: float
    clock: float


def find(liberty: Path | None) -> Path:
    """Return the Liberty file to use: the given one, else that of the open PDK in the folder of PDK_ROOT.

    Raises
    ------
    InputError : if there is none.
    """
    if liberty is not None:
        return liberty
    root = os.environ.get("PDK_ROOT")
    if not root:
        raise InputError("synthesis needs a cell library: --liberty FILE, or PDK_ROOT set to the folder of an open PDK")
    for name in OPEN_PDKS:
        for path in (Path(root, name), Path(root, f"{name}.gz")):
            if path.exists():
                return path
    raise InputError(
        f"PDK_ROOT={root} holds none of {', '.join(name.split('/')[0] for name in OPEN_PDKS)}; give --liberty"
    )


def surroundings(library: Library, clock: float | None) -> Surroundings:
    """Return what to assume around a circuit in a library, for a clock period in ns or, without one, the usual one.

    Raises
    ------
    InputError : if the clock is not positive.
    """
    if clock is not None and not 0 < clock < 1e6:
        raise InputError(f"--clock {clock:g} is not a period in ns")
    known = "sky130_fd_sc_hd__buf_2"
    if known in library:
        return Surroundings(known, 0.0334, clock or 4.0)
    # As there: the buffer of twice the smallest one's size, and the load that such a buffer drives with ease.
    buffer = library.buffers[min(1, len(library.buffers) - 1)]
    inputs = [pin for pin in library[buffer].pins.values() if not pin.output]
    return Surroundings(buffer, 20 * max(inputs[0].capacitance[RISE], inputs[0].capacitance[FALL]), clock or 4.0)
