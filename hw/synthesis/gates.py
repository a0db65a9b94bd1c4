"""A mapped netlist as Verilog that simulates: every cell is what the library says that it computes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from . import boolean
from .cells import Cell
from .library import Library

_OPERAND = re.compile(r"[A-Za-z_]\w*")


def verilog(netlist: Mapping[str, Any], name: str, library: Library) -> str:
    """Return a netlist in Verilog.

    Parameters
    ----------
    netlist : a flat module as Yosys writes it in JSON, all of whose cells are in the library.
    name : of the module, whose ports are those of the netlist.
    library : its cells.

    Returns
    -------
    str
        Bit i of the netlist is the wire ``n<i>``. Flip-flops start with any value.
    """
    nets = {bit for each in netlist["netnames"].values() for bit in each["bits"] if isinstance(bit, int)}
    ports = netlist["ports"]
    lines = [f"module {name}({', '.join(ports)});"]
    for port, each in ports.items():
        lines.append(f"  {each['direction']} [{len(each['bits']) - 1}:0] {port};")
    lines += [f"  wire n{bit};" for bit in sorted(nets)]
    for port, each in ports.items():
        for index, bit in enumerate(each["bits"]):
            if each["direction"] == "input":
                lines.append(f"  assign n{bit} = {port}[{index}];")
            else:
                lines.append(f"  assign {port}[{index}] = {_net(bit)};")
    for index, each in enumerate(netlist["cells"].values()):
        pins = {pin: _net(bits[0]) for pin, bits in each["connections"].items() if bits}
        lines += _cell(library[each["type"]], pins, f"s{index}")
    return "\n".join([*lines, "endmodule", ""])


def _net(bit: int | str) -> str:
    return f"n{bit}" if isinstance(bit, int) else f"1'b{bit if bit in '01' else 0}"


def _cell(cell: Cell, pins: dict[str, str], state: str) -> Iterator[str]:
    operands = {name: net for name, net in pins.items() if not cell.pins[name].output}
    if cell.state is not None:
        operands |= {cell.state.names[0]: state, cell.state.names[1]: f"(~{state})"}
        yield from _flip_flop(cell, operands, state)
    for name, pin in cell.pins.items():
        if pin.output and pins.get(name, "").startswith("n"):
            yield f"  assign {pins[name]} = {boolean.verilog(pin.function, operands)};"


def _flip_flop(cell: Cell, operands: Mapping[str, str], state: str) -> Iterator[str]:
    assert cell.state is not None
    yield f"  reg {state};"
    events = [f"posedge {boolean.verilog(cell.state.clock, operands)}"]
    chosen = f"{state} <= {boolean.verilog(cell.state.next, operands)};"
    for function, value in ((cell.state.clear, 0), (cell.state.preset, 1)):
        if function and any(operands[name].startswith("n") for name in _OPERAND.findall(function)):
            when = boolean.verilog(function, operands)
            events.append(f"posedge {when}")
            chosen = f"if ({when}) {state} <= 1'b{value}; else {chosen}"
    yield f"  always @({' or '.join(events)}) {chosen}"
