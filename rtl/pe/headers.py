"""What the edges of a tile keep of the headers of segments."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value


def header(m: Module, step: Value, words: Value, bits: int) -> Signal:
    """Return the lowest bits of the header that came last, from the cycle after it on."""
    held = Signal(bits, reset_less=True)
    for plane, start in enumerate(range(0, bits, len(words))):
        with m.If(step.header & (step.plane == plane)):
            m.d.sync += held[start : start + len(words)].eq(words)
    return held
