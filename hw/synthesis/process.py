"""Which cell library to synthesize for, and what to assume around the circuit."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ...models.errors import InputError
from . import builtin
from .cells import FALL, RISE
from .library import Library

# Below PDK_ROOT, as the installers of the open PDKs (volare, ciel, open_pdks) lay them out: typical corners.
OPEN_PDKS = (
    "sky130A/libs.ref/sky130_fd_sc_hd/lib/sky130_fd_sc_hd__tt_025C_1v80.lib",
    "ihp-sg13g2/libs.ref/sg13g2_stdcell/lib/sg13g2_stdcell_typ_1p20V_25C.lib",
    "gf180mcuD/libs.ref/gf180mcu_fd_sc_mcu7t5v0/lib/gf180mcu_fd_sc_mcu7t5v0__tt_025C_5v00.lib",
)

# By the buffer in front of every input: the load at every output, pF, and the usual period, ns. That of 45 nm is four
# times the input of its smallest buffer.
KNOWN = {"sky130_fd_sc_hd__buf_2": (0.0334, 4.0), "BUF_X2": (0.0039, 1.0)}


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


def library(path: Path | None) -> Library:
    """Return the library to use: of the given file, else of the open PDK in the folder of PDK_ROOT, else the built-in.

    Raises
    ------
    InputError : if the file is no library, or PDK_ROOT holds none.
    """
    path = path or _open_pdk()
    return Library.read(path) if path else builtin.library()


def _open_pdk() -> Path | None:
    root = os.environ.get("PDK_ROOT")
    if not root:
        return None
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
    for known, (load, period) in KNOWN.items():
        if known in library:
            return Surroundings(known, load, clock or period)
    # As there: the buffer of twice the smallest one's size, and the load that such a buffer drives with ease.
    buffer = library.buffers[min(1, len(library.buffers) - 1)]
    inputs = [pin for pin in library[buffer].pins.values() if not pin.output]
    return Surroundings(buffer, 20 * max(inputs[0].capacitance[RISE], inputs[0].capacitance[FALL]), clock or 4.0)
