"""`dyad bitstream`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...models.errors import InputError
from ..terminal import Json, report, show, working


def bitstream(
    *,
    board: str | None = None,
    accelerator: str | None = None,
    clock: float | None = None,
    seed: int = 1,
    tries: int = 4,
    output: Path | None = None,
    verilog: Path | None = None,
    json: Json = None,
) -> None:
    """Make a bitstream of an accelerator with its memory and a serial line, or its Verilog for other tools.

    The bitstream goes to build/boards, beside the logs of all tools. Load it with openFPGALoader, and talk to it with
    `dyad.hw.host`.

    Parameters
    ----------
    board
        The board: ulx3s (ECP5-85), ecpix5 (ECP5-85) or icebreaker (iCE40 UP5K).
    accelerator
        Short name or YAML file; the board's own when left out.
    clock
        Frequency in MHz, in place of the accelerator's clock_mhz.
    seed
        Of the placer.
    tries
        How many placements to make, with one seed after the other, until one is fast enough for the clock.
    output
        Also write the bitstream to this file.
    verilog
        Instead of a bitstream: write the accelerator with AXI4-Lite and AXI4-Stream ports to this folder, which is
        made: Verilog, a list of files, a Tcl script for Vivado and an XDC with its clock.
    json
        Also write the report to this file: `board`, `accelerator`, `clock_mhz`, `fmax_mhz`, `products_per_cycle`,
        `taken` and `capacity` (each `lut4`, `ff`, `dsp`, `bram`), `path_ns`, `critical_path`, `path`, `tools`.
    """
    from ...hw import bitstream as making
    from ...hw import boards, export, files
    from ...models import accelerator as accelerators
    from ...models.system import System

    files.check(output, json)
    if board is None and verilog is None:
        raise InputError(f"--board is missing: {', '.join(boards.BOARDS)}; or --verilog FOLDER for other tools")
    if board is not None and verilog is not None:
        raise InputError(f"--verilog {verilog} is for any FPGA, it contradicts --board {board}")
    chosen = boards.get(board or "ulx3s")
    machine = accelerators.load(accelerator or chosen.accelerator)
    if tries < 1:
        raise InputError(f"--tries {tries} must be at least 1")
    if clock is not None:
        if clock <= 0:
            raise InputError(f"--clock {clock:g} is not a frequency in MHz")
        machine = replace(machine, clock_mhz=clock)
    system = System(machine, chosen.memory_bytes, chosen.instructions)
    if verilog is not None:
        written = export.write(system, verilog)
        print("\n".join(str(path) for path in written))
        return
    with working("elaborating") as tell:
        made = making.build(chosen, system, seed, tries, lambda what: tell(f"{what}, {machine.name} for {chosen.name}"))
    rows = [(kind.upper(), taken, made.capacity[kind]) for kind, taken in made.taken.items()]
    title = f"{machine.name} on {chosen.name}: {made.products_per_cycle:g} products a cycle at {made.clock_mhz:g} MHz"
    shown = ((kind, f"{taken:,}", f"{all:,}", f"{taken / all:.1%}") for kind, taken, all in rows)
    show(("resource", "taken", "of", "share"), shown, title=title)
    print(f"\nup to {made.fmax_mhz:g} MHz; longest path {made.path_ns:g} ns, from {made.critical_path[0]}")
    print(f"to {made.critical_path[-1]}")
    print(f"bitstream: {made.path}")
    if output is not None:
        files.copy(Path(made.path), output)
    report(json, made.report())
