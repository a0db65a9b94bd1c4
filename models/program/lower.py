"""Lowering: from the blocks of a layer to the instructions that compute it.

Every layer is the convolution of an image (see `models/network.py`), and a convolution is a matrix product whose rows
are windows of that image. The windows are never stored: the load instruction gathers them. The run of
kernel_width * channels bytes that one line of the window covers is contiguous in an image with channels last, and the
windows of neighbouring results on one line lie a fixed stride apart, so one load fetches a line of the window for a
line of results: rows, length and stride say it all. The alternative, an address generator in the load controller that
walks the whole window, saves instructions but needs six more counters and knows what a convolution is; this one is a
strided copy. Padding is in the image, which is stored with its border of zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..network import Layer
from .blocking import SLOTS
from .isa import OUTPUTS, Finish, Instruction, Load, Multiply, Store, mask
from .layout import Placement, blocks
from .reduction import ceil_div

ACTIVATION, WEIGHT, PARAMETER = range(3)


@dataclass
class _Step:
    """One multiply, the loads it needs and, after the last of a block of results, the finish and the stores."""

    loads: list[Load]
    multiply: Multiply
    finish: Finish | None = None
    stores: list[Store] = field(default_factory=list)
    frees: int | None = None
    """The finish (by its number) that has to be over before the loads overwrite its parameters."""


class _Slots:
    """Which block is in which slot of a buffer: two slots, the one used longer ago is overwritten."""

    def __init__(self) -> None:
        self._keys: list[object] = []

    def place(self, key: object) -> tuple[int, bool]:
        """Return the slot for `key` and whether it has to be loaded."""
        if key in self._keys:
            index = self._keys.index(key)
            self._recent = index
            return index, False
        if len(self._keys) < SLOTS:
            self._keys.append(key)
            self._recent = len(self._keys) - 1
        else:
            self._recent = 1 - self._recent
            self._keys[self._recent] = key
        return self._recent, True


def lower(placement: Placement) -> list[Instruction]:
    """Return the instructions of a layer; the last one is a fence."""
    steps = list(_steps(placement))
    _order(steps)
    program: list[Instruction] = []
    for step in steps:
        program += step.loads
        program.append(step.multiply)
        if step.finish is not None:
            program.append(step.finish)
            program += step.stores
    program[-1] = program[-1]._replace(fence=1)
    return program


def _steps(placement: Placement) -> Iterator[_Step]:
    """Yield the steps of a layer in order, without tokens."""
    blocking = placement.blocking
    layer, accelerator, summed = blocking.layer, blocking.accelerator, blocking.reduction
    tile, words, sizes = accelerator.tile, accelerator.column_word, blocking.slots
    beat, columns_room = accelerator.memory.bytes_per_cycle, 2 * blocking.column_tiles
    activations, weights, columns_slots = _Slots(), _Slots(), _Slots()
    finishes = 0
    last_use: list[int] = [0] * SLOTS
    for (m0, rows), (n0, columns) in _outer(placement):
        column_tiles = ceil_div(columns, tile.n)
        parameter_slot, missing = columns_slots.place(n0)
        column_base = parameter_slot * columns_room
        accumulator = finishes % SLOTS * sizes["accumulator"]
        for k0, depth in blocks(layer.k, blocking.depth):
            loads: list[Load] = []
            frees = None
            if missing:
                size = 2 * column_tiles * words
                loads.append(_run(PARAMETER, placement.column_block(n0), size, column_base * words))
                frees = last_use[parameter_slot] or None
                missing = False
            weight_slot, absent = weights.place((n0, k0))
            segments = ceil_div(depth, summed.segment)
            group_base = SLOTS * columns_room + weight_slot * (sizes["parameter"] - columns_room)
            step_words = blocking.words(depth)
            if absent:
                if summed.parameters:
                    size = column_tiles * segments * words
                    loads.append(_run(PARAMETER, placement.group_block(n0, columns, k0), size, group_base * words))
                size = column_tiles * step_words * accelerator.weight_word
                offset = weight_slot * sizes["weight"] * accelerator.weight_word
                loads.append(_run(WEIGHT, placement.weight_block(n0, columns, k0), size, offset))
            activation_slot, absent = activations.place((m0, k0))
            activation_base = activation_slot * sizes["activation"] * beat
            if absent:
                loads += _windows(placement, m0, rows, k0, depth, activation_base)
            multiply = Multiply(
                mode=accelerator.pe.modes.index(summed.mode),
                rows=rows,
                columns=column_tiles,
                groups=segments,
                steps=ceil_div(min(summed.segment, depth), summed.step),
                last_steps=ceil_div(depth - (segments - 1) * summed.segment, summed.step),
                activation=activation_base // accelerator.row_word,
                pitch=blocking.activation_pitch // accelerator.row_word,
                weight=weight_slot * sizes["weight"],
                accumulator=accumulator,
                parameter=group_base if summed.parameters else 0,
                bias=column_base if k0 == 0 else 0,
                first=int(k0 == 0),
                biased=int(k0 == 0),
                parameters=int(summed.parameters),
                scaled=int(summed.scaled),
            )
            step = _Step(loads, multiply, frees=frees)
            if k0 + depth == layer.k:
                output = finishes % SLOTS * sizes["output"]
                finishes += 1
                last_use[parameter_slot] = finishes
                step.finish = Finish(
                    format=OUTPUTS.index(layer.output),
                    rows=rows,
                    columns=column_tiles,
                    accumulator=accumulator,
                    parameter=column_base + column_tiles,
                    output=output,
                    pitch=blocking.output_pitch,
                    relu=int(layer.relu),
                    floating=int(summed.scaled),
                )
                step.stores = list(_stores(placement, m0, rows, n0, columns, output * words))
            yield step


def _outer(placement: Placement) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield the blocks of results as ((row, rows), (column, columns)), in the order of the blocking."""
    blocking = placement.blocking
    layer = blocking.layer
    if blocking.weights_first:
        return ((m, n) for n in blocks(layer.n, blocking.columns) for m in blocks(layer.m, blocking.rows))
    return ((m, n) for m in blocks(layer.m, blocking.rows) for n in blocks(layer.n, blocking.columns))


def _order(steps: list[_Step]) -> None:
    """Add the tokens: who waits for whom, so that no slot is read before it is full or filled while it is read."""
    finishes = [step for step in steps if step.finish is not None]

    def give(step: _Step, unit: str, to: str) -> None:
        instruction = step.stores[-1] if unit == "store" else getattr(step, unit)
        instruction = instruction._replace(signal=instruction.signal | mask(to))
        if unit == "store":
            step.stores[-1] = instruction
        else:
            setattr(step, unit, instruction)

    for index, step in enumerate(steps):
        if step.loads:
            wait = 0
            if index >= SLOTS:
                wait |= mask("multiply")
                give(steps[index - SLOTS], "multiply", "load")
            if step.frees is not None:
                wait |= mask("finish")
                give(finishes[step.frees - 1], "finish", "load")
            step.loads[0] = step.loads[0]._replace(wait=wait)
            step.loads[-1] = step.loads[-1]._replace(signal=mask("multiply"))
            step.multiply = step.multiply._replace(wait=step.multiply.wait | mask("load"))
    opening = [step for step in steps if step.multiply.first]
    for index, (start, end) in enumerate(zip(opening, finishes, strict=True)):
        wait = mask("multiply")
        give(end, "multiply", "finish")
        give(end, "finish", "store")
        end.stores[0] = end.stores[0]._replace(wait=mask("finish"))
        if index >= SLOTS:
            start.multiply = start.multiply._replace(wait=start.multiply.wait | mask("finish"))
            give(finishes[index - SLOTS], "finish", "multiply")
            wait |= mask("store")
            give(finishes[index - SLOTS], "store", "finish")
        assert end.finish is not None
        end.finish = end.finish._replace(wait=wait)


def _run(buffer: int, address: int, length: int, offset: int) -> Load:
    return Load(buffer=buffer, rows=1, length=length, address=address, offset=offset)


def _lines(layer: Layer, m0: int, rows: int, cut: bool) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield (row, rows, batch, line, column) of the results m0 ... m0 + rows - 1, cut where a line of results ends.

    Where the pixels of all lines follow one another at one distance, there is no need to cut: all lines are one.
    """
    height, width = (layer.out_height, layer.out_width) if cut else (1, layer.m)
    m = m0
    while m < m0 + rows:
        line, column = divmod(m, width)
        count = min(width - column, m0 + rows - m)
        yield m - m0, count, line // height, line % height, column
        m += count


def _windows(placement: Placement, m0: int, rows: int, k0: int, depth: int, base: int) -> Iterator[Load]:
    """Yield the loads of a block of the activation matrix."""
    blocking, image = placement.blocking, placement.input
    layer, m = blocking.layer, blocking.accelerator.tile.m
    run, size = layer.kernel_width * image.channels, blocking.row_bytes
    k0, depth = blocking.stored(k0), blocking.stored(k0 + depth) - blocking.stored(k0)
    for row, count, batch, line, column in _lines(layer, m0, rows, cut=not layer.is_product):
        k = k0
        while k < k0 + depth:
            ky, start = divmod(k, run)
            length = min(run - start, k0 + depth - k)
            yield Load(
                buffer=ACTIVATION,
                rows=count,
                length=size(length),
                address=image.at(batch, line * layer.stride + ky, column * layer.stride) + size(start),
                stride=layer.stride * image.pixel,
                bank=row % m,
                offset=base + row // m * blocking.activation_pitch + size(k - k0),
                pitch=blocking.activation_pitch,
            )
            k += length


def _stores(placement: Placement, m0: int, rows: int, n0: int, columns: int, base: int) -> Iterator[Store]:
    """Yield the stores of a block of results."""
    blocking, image = placement.blocking, placement.output
    drain = blocking.accelerator.tile.drain
    pitch = blocking.output_pitch * blocking.accelerator.column_word
    for row, count, batch, line, column in _lines(blocking.layer, m0, rows, cut=image.border > 0):
        yield Store(
            rows=count,
            length=columns * image.bits // 8,
            address=image.at(batch, line + image.border, column + image.border) + n0 * image.bits // 8,
            stride=image.pixel,
            bank=row % drain,
            offset=base + row // drain * pitch,
            pitch=pitch,
        )
