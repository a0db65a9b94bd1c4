"""The engine: four units around a tile and its buffers, told what to do by a stream of instructions.

::

    instructions -> Dispatch -> LoadUnit ----> activation, weight, parameter scratchpads
                             -> Issue -------> scratchpads -> Tile
                             -> Drain              Tile -> finish stations -> accumulator buffer
                             -> FinishUnit --> accumulator buffer -> output stages -> output buffer
                             -> StoreUnit ---> output buffer
    LoadUnit, StoreUnit -> Arbiter -> memory port

Operands are broadcast: every cycle a row of cells sees the same k activations and a column the same k weights, so a
tile needs no skew and a step costs the same whatever m and n are; the price is the fan-out of the operand registers.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from ..models.accelerator import Accelerator
from ..models.program.isa import INSTRUCTION_BYTES, KINDS, Load, Store
from ..models.program.widths import widths
from .dispatch import Dispatch
from .drain import Drain
from .finish import SLICES, FinishUnit
from .layouts import MemorySignature, instruction_layout
from .load import LoadUnit
from .multiply import Issue
from .pe import STEP
from .port import Arbiter
from .scratchpad import Scratchpad
from .store import StoreUnit
from .tile import Tile


class Engine(wiring.Component):
    """An accelerator as a circuit.

    Ports
    -----
    instructions : in, stream of instructions in their binary form (`models.program.isa`); an instruction is taken in
        the cycle in which `valid` and `ready` are high.
    memory : `MemorySignature`.
    idle : out; every instruction that was taken is done.
    start, done : out, a bit for each unit in the order of `UNITS`, high in the first and in the last cycle of an
        instruction: for traces.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        super().__init__(
            {
                "instructions": In(stream.Signature(8 * INSTRUCTION_BYTES)),
                "memory": Out(MemorySignature(accelerator.memory.bytes_per_cycle)),
                "idle": Out(1),
                "start": Out(4),
                "done": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        accelerator = self._accelerator
        tile, depths, beat = accelerator.tile, accelerator.depths, accelerator.memory.bytes_per_cycle
        words = accelerator.column_word

        m.submodules.dispatch = dispatch = Dispatch(accelerator.queue)
        m.submodules.load = load = LoadUnit((tile.m, 1, 1), beat, widths(Load, accelerator))
        m.submodules.issue = issue = Issue(accelerator)
        m.submodules.tile = cells = Tile(accelerator.pe, tile.m, tile.n, tile.drain)
        m.submodules.drain = drain = Drain(accelerator)
        m.submodules.finish = finish = FinishUnit(accelerator)
        m.submodules.store = store = StoreUnit(tile.drain, words, depths["output"], beat, widths(Store, accelerator))
        m.submodules.arbiter = arbiter = Arbiter()
        m.submodules.activations = activations = Scratchpad(tile.m, beat, depths["activation"], beat)
        m.submodules.weights = weights = Scratchpad(1, accelerator.weight_word, depths["weight"], beat)
        m.submodules.parameters = parameters = Scratchpad(1, words, depths["parameter"], beat, readers=2)
        m.submodules.accumulators = accumulators = Memory(
            shape=unsigned(8 * words * tile.drain), depth=depths["accumulator"], init=[]
        )

        connect(m, flipped(self.instructions), dispatch.instructions)
        units = (load.unit, issue, finish.unit, store.unit)
        dones = (load.unit.done, drain.done, finish.unit.done, store.unit.done)
        for kind, port, unit, done in zip(KINDS, dispatch.unit, units, dones, strict=True):
            layout = instruction_layout(kind)
            command = data.View(layout, port.command[: layout.size])
            m.d.comb += [unit.start.eq(port.start), port.done.eq(done)]
            m.d.comb += [unit.command[name].eq(command[name]) for name in layout.members]
        m.d.comb += [
            self.idle.eq(dispatch.idle),
            self.start.eq(Cat(port.start for port in dispatch.unit)),
            self.done.eq(Cat(dones)),
        ]

        connect(m, load.request, arbiter.load)
        connect(m, store.request, arbiter.store)
        m.d.comb += [arbiter.load_last.eq(load.last), arbiter.store_last.eq(store.last)]
        connect(m, arbiter.request, flipped(self.memory.request))
        connect(m, store.write, flipped(self.memory.write))
        m.d.comb += [load.read.valid.eq(self.memory.read.valid), load.read.data.eq(self.memory.read.data)]
        for write, scratchpad in zip(load.write, (activations, weights, parameters), strict=True):
            connect(m, write, scratchpad.write)

        # Operands: read in one cycle, picked from their words and registered in the next, at the cells in the third.
        steps = exact_log2(beat // accelerator.row_word)
        place = Signal(max(steps, 1))
        m.d.comb += [
            activations.read[0].enable.eq(issue.read.enable),
            activations.read[0].address.eq(issue.read.activation >> steps),
            weights.read[0].enable.eq(issue.read.enable),
            weights.read[0].address.eq(issue.read.weight),
        ]
        reading = Signal(STEP)
        m.d.sync += [
            place.eq(issue.read.activation[:steps]),
            reading.eq(issue.step),
            cells.step.eq(reading),
            cells.activations.eq(
                Cat(word.word_select(place, 8 * accelerator.row_word) for word in activations.read[0].data)
            ),
            cells.weights.eq(weights.read[0].data[0]),
        ]

        connect(m, issue.segment, drain.segment)
        m.d.comb += [cells.drain_row.eq(drain.row), drain.results.eq(cells.results), drain.sums.eq(cells.sums)]
        for reader, scratchpad_port in zip((drain.parameter, finish.parameter), parameters.read, strict=True):
            m.d.comb += [
                scratchpad_port.enable.eq(reader.enable),
                scratchpad_port.address.eq(reader.address),
                reader.data.as_value().eq(scratchpad_port.data[0]),
            ]

        write = accumulators.write_port()
        m.d.comb += [
            write.en.eq(drain.write.enable),
            write.addr.eq(drain.write.address),
            write.data.eq(drain.write.data),
        ]
        for reader in (drain.read, finish.read):
            read = accumulators.read_port()
            m.d.comb += [
                read.en.eq(reader.enable),
                read.addr.eq(reader.address),
                reader.data.as_value().eq(read.data),
            ]

        for bank in range(tile.drain):
            m.submodules[f"outputs_{bank}"] = outputs = Memory(
                shape=unsigned(8 * words), depth=depths["output"], init=[]
            )
            write, read = outputs.write_port(granularity=8 * words // SLICES), outputs.read_port()
            m.d.comb += [
                write.en.eq(finish.write.enable),
                write.addr.eq(finish.write.address),
                write.data.eq(finish.write.data[bank]),
                read.en.eq(store.read.enable),
                read.addr.eq(store.read.address),
                store.read.data[bank].eq(read.data),
            ]
        return m
