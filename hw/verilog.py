"""Verilog of a component: names as in the source, the same text on every machine."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.back import rtlil
from amaranth.back import verilog as back_end
from amaranth.lib.wiring import Component


def netlist(component: Component, name: str) -> str:
    """Return Amaranth's intermediate language (RTLIL) of a component; quick, and enough to tell designs apart."""
    with _no_garbage_collection():
        return rtlil.convert(component, name=name, emit_src=False)


def verilog(component: Component, name: str) -> str:
    """Return the Verilog of a component.

    Parameters
    ----------
    component : the design; its clock and reset become the ports ``clk`` and ``rst``.
    name : name of the top module.

    Returns
    -------
    str
        Free of source locations, so that it depends on nothing but the design and Amaranth's version.
    """
    with _no_garbage_collection():
        return back_end.convert(component, name=name, strip_internal_attrs=True)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Spare the collector the millions of objects of an elaboration, all of them alive: half of the time it takes."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
