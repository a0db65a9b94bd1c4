"""An accelerator for other vendors' tools: Verilog with AXI ports, a list of files, a Tcl script and an XDC."""

from __future__ import annotations

from pathlib import Path

from ..models.errors import InputError
from ..models.system import System
from ..rtl.system import AxiSystem
from . import files
from .verilog import verilog

NAME = "dyad_core"

TCL = """\
# Synthesizes {name} out of context: vivado -mode batch -source {name}.tcl -tclargs PART
set part [expr {{$argc > 0 ? [lindex $argv 0] : "xc7a100tcsg324-1"}}]
set folder [file dirname [file normalize [info script]]]
set sources [open [file join $folder {name}.f]]
foreach source [split [string trim [read $sources]] "\\n"] {{ read_verilog [file join $folder $source] }}
close $sources
read_xdc [file join $folder {name}.xdc]
synth_design -top {name} -part $part -mode out_of_context
report_utilization -file [file join $folder utilization.txt]
report_timing_summary -file [file join $folder timing.txt]
write_checkpoint -force [file join $folder {name}.dcp]
"""
XDC = """\
# {mhz:g} MHz, as clock_mhz of {accelerator} has it.
create_clock -name clk -period {ns:.3f} [get_ports clk]
"""


def write(system: System, folder: Path) -> list[Path]:
    """Write the core of a system for other tools; return the files.

    Parameters
    ----------
    system : the accelerator and its memory.
    folder : where to; it is made if there is none.

    Raises
    ------
    InputError : if nothing can be written there.
    """
    texts = {
        f"{NAME}.v": verilog(AxiSystem(system), NAME),
        f"{NAME}.f": f"{NAME}.v\n",
        f"{NAME}.tcl": TCL.format(name=NAME),
        f"{NAME}.xdc": XDC.format(
            mhz=system.accelerator.clock_mhz,
            accelerator=system.accelerator.name,
            ns=1000 / system.accelerator.clock_mhz,
        ),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make {folder}: {error.strerror}") from None
    for name, text in texts.items():
        files.write(folder / name, text)
    return [folder / name for name in texts]
