# amaranth: UnusedElaboratable=no
"""Proofs of the rules on the ports of links: what is offered stands until it is taken."""

from __future__ import annotations

from dyad.hw.formal import Problem
from dyad.models import accelerator
from dyad.models.system import System
from dyad.rtl.link import axi, frame
from dyad.tests.formal.catalog import Bug, proof
from dyad.tests.formal.handshakes import stands


@proof(3, Bug(frame, "m.If(self.body.valid & self.octets.ready)", "m.If(self.body.valid)"))
def frame_octets() -> Problem:
    """`FrameSender.octets` stands until taken.

    Given: what is offered to be sent stands until taken.
    """
    p = Problem()
    p.m.submodules.sender = sender = frame.FrameSender()
    valid, payload = p.arbitrary(1, "valid"), p.arbitrary(sender.body.payload.shape(), "payload")
    ready = p.arbitrary(1, "ready")
    p.m.d.comb += [sender.body.valid.eq(valid), sender.body.payload.eq(payload), sender.octets.ready.eq(ready)]
    p.given(stands(p, valid, sender.body.ready, payload))
    p.show(stands(p, sender.octets.valid, ready, sender.octets.payload))
    return p


@proof(4, Bug(axi, "self.s_axil_arready.eq(~self.s_axil_rvalid)", "self.s_axil_arready.eq(1)"))
def axi_answers() -> Problem:
    """`AxiLink` keeps an answer on the read and on the write channel until it is taken, whatever else goes on."""
    p = Problem()
    p.m.submodules.link = link = axi.AxiLink(System(accelerator.load("tiny"), memory_bytes=64, instructions=2))
    for name in ("awaddr", "awvalid", "wdata", "wvalid", "bready", "araddr", "arvalid", "rready"):
        port = getattr(link, f"s_axil_{name}")
        p.m.d.comb += port.eq(p.arbitrary(len(port), name))
    p.m.d.comb += link.run.cycles.eq(p.arbitrary(32, "cycles"))
    p.show(stands(p, link.s_axil_rvalid, link.s_axil_rready, link.s_axil_rdata))
    p.show(stands(p, link.s_axil_bvalid, link.s_axil_bready))
    return p
