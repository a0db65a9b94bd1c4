"""The memory port's arbiter: the load and the store unit take turns, an instruction at a time."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts import REQUEST


class Arbiter(wiring.Component):
    """Passes on the requests of two units; once one is offered, its unit keeps the port until the last is accepted.

    The store unit goes first where both ask in the same cycle, so that results make room for new ones.

    Ports
    -----
    load, store : in, streams of `REQUEST`.
    load_last, store_last : in; the request on offer is the last of its instruction.
    request : out, stream of `REQUEST`.
    """

    def __init__(self) -> None:
        requests = stream.Signature(REQUEST)
        super().__init__(
            {
                "load": In(requests),
                "load_last": In(1),
                "store": In(requests),
                "store_last": In(1),
                "request": Out(requests),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        locked, owner, store = Signal(), Signal(), Signal()
        m.d.comb += [
            store.eq(Mux(locked, owner, self.store.valid)),
            self.request.valid.eq(Mux(store, self.store.valid, self.load.valid)),
            self.request.payload.eq(Mux(store, self.store.payload, self.load.payload)),
            self.store.ready.eq(store & self.request.ready),
            self.load.ready.eq(~store & self.request.ready),
        ]
        with m.If(self.request.valid):
            last = Mux(store, self.store_last, self.load_last)
            m.d.sync += [owner.eq(store), locked.eq(~(self.request.ready & last))]
        return m
