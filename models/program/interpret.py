"""Runs a program on the golden arithmetic: what every byte of memory must be afterwards, without any notion of time.

The buffers are arrays with the addresses of the instruction set; the arithmetic is that of the processing element and
of the output stage. Instructions run in program order, which the tokens of a sound program cannot contradict.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..accelerator import Accelerator
from ..formats import Format, parse, scalar
from ..pe.output import rescale
from ..pe.words import unpack
from .isa import OUTPUT_BYTES, OUTPUTS, Finish, Instruction, Load, Multiply, Store
from .program import Program


def run(program: Program, memory: NDArray[np.uint8]) -> None:
    """Run `program` on `memory` (uint8 [program.size]), in place."""
    Interpreter(program.accelerator, memory).run(program.instructions)


class Interpreter:
    """The state of the engine between two instructions: its buffers, and the memory it works on."""

    def __init__(self, accelerator: Accelerator, memory: NDArray[np.uint8]) -> None:
        self.accelerator = accelerator
        self.memory = memory
        tile, depths = accelerator.tile, accelerator.depths
        beat, words = accelerator.memory.bytes_per_cycle, accelerator.column_word
        self._scratchpads = (
            np.zeros((tile.m, depths["activation"] * beat), np.uint8),
            np.zeros((1, depths["weight"] * accelerator.weight_word), np.uint8),
            np.zeros((1, depths["parameter"] * words), np.uint8),
        )
        self._accumulators = np.zeros((depths["accumulator"] * tile.drain, tile.n), np.uint32)
        self._outputs = np.zeros((tile.drain, depths["output"] * words), np.uint8)

    def run(self, instructions: Iterable[Instruction]) -> None:
        """Execute `instructions` in order."""
        beat = self.accelerator.memory.bytes_per_cycle
        for instruction in instructions:
            match instruction:
                case Load():
                    scratchpad = self._scratchpads[instruction.buffer]
                    for bank, offset, address in _runs(instruction, len(scratchpad)):
                        end = offset + instruction.length
                        scratchpad[bank, offset:end] = self.memory[address : address + instruction.length]
                        scratchpad[bank, end : end + -end % beat] = 0  # the rest of the last beat
                case Multiply():
                    self._multiply(instruction)
                case Finish():
                    self._finish(instruction)
                case Store():
                    for bank, offset, address in _runs(instruction, len(self._outputs)):
                        self.memory[address : address + instruction.length] = self._outputs[
                            bank, offset : offset + instruction.length
                        ]

    def _parameters(self, word: int) -> NDArray[np.uint32]:
        size = self.accelerator.column_word
        return self._scratchpads[2][0, word * size : (word + 1) * size].view(np.uint32)

    def _weights(self, word: int, steps: int, mode: int) -> NDArray[np.integer]:
        """Return the weights of `steps` steps from a word of the scratchpad on, [steps * k, n].

        The words of a header count as steps; modes that have them have one plane.
        """
        accelerator = self.accelerator
        n, size, kind = accelerator.tile.n, accelerator.weight_word, accelerator.pe.modes[mode]
        k = accelerator.k * kind.packing
        count = -(-steps // kind.steps)
        data = self._scratchpads[1][0, word * size : (word + count * kind.planes) * size]
        numbers = unpack(data, accelerator.pe.plane_bits // kind.packing).reshape(count, kind.planes, n, k)
        planes = numbers.transpose(1, 0, 3, 2).reshape(kind.planes, count * k, n)
        return accelerator.pe.weights(planes, kind)[: steps * k]

    def _activations(self, rows: int, start: int, steps: int, mode: int) -> NDArray[np.integer]:
        """Return the activations of the first rows in `steps` steps from step `start` on, [rows, steps * k]."""
        pe, size = self.accelerator.pe, self.accelerator.row_word
        data = self._scratchpads[0][:rows, start * size : (start + steps) * size]
        element = parse(pe.modes[mode].activation)
        codes = unpack(data, pe.activation_bits // pe.modes[mode].packing)
        return element.numbers(codes) if isinstance(element, Format) else codes

    def _multiply(self, code: Multiply) -> None:
        pe, tile = self.accelerator.pe, self.accelerator.tile
        mode = pe.modes[code.mode]
        k = self.accelerator.k * mode.packing
        depth = (code.groups - 1) * code.steps + code.last_steps
        rows_depth, columns_depth = (depth + code.groups * words for words in (mode.row_header, mode.column_header))
        kind: Any = np.float32 if code.scaled else np.int32
        row_tiles = -(-code.rows // tile.m)
        for column in range(code.columns):
            words = -(-columns_depth // mode.steps) * mode.planes
            weights = self._weights(code.weight + column * words, columns_depth, code.mode)
            for row_tile in range(row_tiles):
                rows = min(tile.m, code.rows - row_tile * tile.m)
                first = code.accumulator * tile.drain + (column * row_tiles + row_tile) * tile.m
                target = self._accumulators[first : first + rows]
                bias = self._parameters(code.bias + column) if code.biased else np.zeros(tile.n, np.uint32)
                total = (np.broadcast_to(bias, target.shape) if code.first else target).view(kind)
                activations = self._activations(rows, code.activation + row_tile * code.pitch, rows_depth, code.mode)
                for group in range(code.groups):
                    steps = code.steps if group < code.groups - 1 else code.last_steps
                    a = activations[:, _part(group, code.steps, steps, mode.row_header, k)]
                    q = weights[_part(group, code.steps, steps, mode.column_header, k)]
                    zeros = None
                    scales = np.ones(tile.n) if code.scaled else None
                    if code.parameters:
                        word = self._parameters(code.parameter + column * code.groups + group)
                        zeros = (word >> np.uint32(16) & 0x1FF ^ 0x100).astype(np.int64) - 0x100
                        scales = _scales(word, mode.scale) if code.scaled else None
                    total = pe.finish(pe.dot(a, q, mode), pe.prepare(a, mode), zeros, scales, total, mode)
                target[:] = total.view(np.uint32)

    def _finish(self, code: Finish) -> None:
        tile = self.accelerator.tile
        name = OUTPUTS[code.format]
        size = OUTPUT_BYTES[name]
        row_tiles = -(-code.rows // tile.m)
        for column in range(code.columns):
            word = self._parameters(code.parameter + column)
            first = code.accumulator * tile.drain + column * row_tiles * tile.m
            kind: Any = np.float32 if code.floating else np.int32
            total = self._accumulators[first : first + code.rows].view(kind)
            multiplier, shift = word & 0xFFFF, word >> np.uint32(16) & 0x3F
            result = rescale(total, multiplier, shift, bool(code.relu), name).view(np.uint8)
            for row in range(code.rows):
                group, bank = divmod(row, tile.drain)
                offset = (code.output + group * code.pitch) * self.accelerator.column_word + column * tile.n * size
                self._outputs[bank, offset : offset + tile.n * size] = result[row]


def _scales(word: NDArray[np.uint32], name: str) -> NDArray[np.float64]:
    """Return the values of scales of a format, whose codes are in the low bits of words."""
    format = scalar(name)
    return format.decode((word & (1 << format.bits) - 1).astype(format.dtype))


def _part(group: int, steps: int, own: int, header: int, k: int) -> slice:
    """Return where the operands of a segment are, of `own` steps and after others of `steps`, each with its header."""
    start = group * (header + steps)
    return slice(start * k, (start + header + own) * k)


def _runs(code: Load | Store, banks: int) -> Iterable[tuple[int, int, int]]:
    """Yield (bank, offset, address) of each run of a transfer."""
    for row in range(code.rows):
        wraps, bank = divmod(code.bank + row, banks)
        yield bank, code.offset + wraps * code.pitch, code.address + row * code.stride
