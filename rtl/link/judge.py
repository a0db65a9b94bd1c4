"""What becomes of a request: the checks that every link makes before it does anything."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.utils import exact_log2

from ...models.link.message import Command, Status
from ...models.program.isa import INSTRUCTION_BYTES
from ...models.system import ADDRESS_BITS, PROGRAM, System


def judge(
    m: Module, system: System, command: Value, address: Value, length: Value, malformed: Value, busy: Value
) -> Signal:
    """Return the `Status` of a request, by the circuit of `models.link.device.Device`.

    Parameters
    ----------
    m : where the circuit belongs.
    system : what the request is made to.
    command, address, length : of the request.
    malformed : whether its parts do not fit one another.
    busy : whether nothing can be moved or started.
    """
    verdict, limit = Signal(8), Signal(ADDRESS_BITS + 1)
    end = Signal(max(ADDRESS_BITS, len(length)) + 1)
    m.d.comb += end.eq(address + length)
    with m.Switch(command):
        with m.Case(Command.RUN):
            m.d.comb += limit.eq(system.instructions)
        with m.Case(Command.WRITE):
            most = PROGRAM + system.instructions * INSTRUCTION_BYTES
            m.d.comb += limit.eq(Mux(address[exact_log2(PROGRAM)], most, system.memory_bytes))
        with m.Default():
            m.d.comb += limit.eq(system.memory_bytes)
    runs = command == Command.RUN
    moves = runs | (command == Command.WRITE) | (command == Command.READ)
    with m.If(command > max(Command)):
        m.d.comb += verdict.eq(Status.UNKNOWN)
    with m.Elif(malformed):
        m.d.comb += verdict.eq(Status.MALFORMED)
    with m.Elif(moves & ((end > limit) | (runs & (length == 0)))):
        m.d.comb += verdict.eq(Status.RANGE)
    with m.Elif(moves & busy):
        m.d.comb += verdict.eq(Status.BUSY)
    with m.Else():
        m.d.comb += verdict.eq(Status.DONE)
    return verdict
