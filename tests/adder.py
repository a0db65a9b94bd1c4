"""A small registered adder: the design with which the tools are tested."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out


class Adder(Component):
    """Add two unsigned numbers, one clock cycle later.

    Ports: ``a``, ``b``, inputs of `width` bits; ``total``, output of `width` + 1 bits.
    """

    def __init__(self, width: int) -> None:
        super().__init__({"a": In(width), "b": In(width), "total": Out(width + 1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.total.eq(self.a + self.b)
        return m
