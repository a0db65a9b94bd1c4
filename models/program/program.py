"""Programs: the instructions of one layer or of a whole network, and the memory they work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..accelerator import Accelerator
from ..errors import InputError
from ..network import Layer
from .assembly import assemble
from .blocking import Blocking, choose
from .isa import Instruction
from .layout import (
    Image,
    Placement,
    input_image,
    output_border,
    output_image,
    pack_columns,
    pack_groups,
    pack_weights,
    takes,
)
from .lower import lower
from .reduction import round_up

if TYPE_CHECKING:
    from ..quantized import QuantizedLayer


@dataclass(frozen=True)
class Program:
    """The instructions of consecutive layers on one accelerator, and where everything lies in memory.

    Parameters
    ----------
    accelerator : the accelerator that the program was lowered for.
    placements : the memory of each layer.
    size : bytes of memory that the program uses.
    """

    accelerator: Accelerator
    placements: tuple[Placement, ...]
    size: int

    @cached_property
    def layers(self) -> tuple[list[Instruction], ...]:
        """The instructions of each layer."""
        return tuple(lower(placement) for placement in self.placements)

    @cached_property
    def instructions(self) -> list[Instruction]:
        """The instructions of all layers, in order."""
        return [instruction for layer in self.layers for instruction in layer]

    @property
    def text(self) -> str:
        """The program in text form, with a comment before each layer."""
        return "".join(
            f"# {placement.blocking.layer.name}\n{assemble(instructions)}"
            for placement, instructions in zip(self.placements, self.layers, strict=True)
        )

    @property
    def input(self) -> Image:
        """The images that the first layer reads."""
        return self.placements[0].input

    @property
    def output(self) -> Image:
        """The images that the last layer writes."""
        return self.placements[-1].output

    def memory(self, layers: Sequence[QuantizedLayer]) -> NDArray[np.uint8]:
        """Return the memory before the run: weights and parameters in place, activations zero.

        Parameters
        ----------
        layers : the quantized layers that the program was compiled from, in order.

        Returns
        -------
        uint8 [size]
        """
        memory = np.zeros(self.size, dtype=np.uint8)
        for placement, layer in zip(self.placements, layers, strict=True):
            blocking = placement.blocking
            for address, data in (
                (placement.weights, pack_weights(blocking, layer.weights)),
                (placement.columns, pack_columns(blocking, layer.bias, layer.multiplier, layer.shift)),
                (placement.groups, pack_groups(blocking, layer.weights)),
            ):
                memory[address : address + len(data)] = data
        return memory

    def write_input(self, memory: NDArray[np.uint8], activations: NDArray[np.integer], layer: int = 0) -> None:
        """Put the activations of a layer, [batch, height, width, channels] or [M, K], into `memory`."""
        image = self.placements[layer].input
        view = image.view(memory)
        view[:] = image.bytes(activations.reshape(*view.shape[:-1], image.channels))

    def read_output(self, memory: NDArray[np.uint8], layer: int = -1) -> NDArray:
        """Return the results of a layer, [M, N]: int8, float16 or float32, or else codes of its output format."""
        image, name = self.placements[layer].output, self.placements[layer].blocking.layer.output
        dtype = {"int8": np.int8, "fp16": np.float16, "fp32": np.float32}.get(name, f"u{image.bits // 8}")
        return np.ascontiguousarray(image.view(memory)).view(dtype).reshape(-1, image.channels)


def compile_layers(
    layers: Sequence[Layer],
    accelerator: Accelerator,
    border: int = 0,
    blockings: Sequence[Blocking] | None = None,
    chained: bool = True,
) -> Program:
    """Return the program that runs `layers` one after another, each on the results of the one before.

    Parameters
    ----------
    layers : a chain; a layer's images must be the results of the layer before, or those flattened.
    accelerator : what to lower for.
    border : border of zeros around the images that the last layer stores, in pixels.
    blockings : how to cut each layer; the best that `choose` finds when left out.
    chained : whether a layer reads what the one before wrote; if not, each reads images of its own.

    Raises
    ------
    InputError : if the layers do not form a chain or one does not fit the accelerator.
    """
    if not layers:
        raise InputError("a program needs at least one layer")
    beat = accelerator.memory.bytes_per_cycle
    free = beat  # a load may reach for up to a beat before its first byte

    def take(size: int) -> int:
        nonlocal free
        address, free = free, free + round_up(size, beat)
        return address

    placements: list[Placement] = []
    for index, layer in enumerate(layers):
        following = layers[index + 1] if index + 1 < len(layers) else None
        if not chained:
            following = None
        if following is not None:
            _check_chain(layer, following)
        edge = border if following is None else output_border(layer, following)
        blocking = choose(layer, accelerator) if blockings is None else blockings[index]
        follows = chained and placements
        address = placements[-1].output.address if follows else take(input_image(blocking, 0).size)
        target = output_image(layer, take(output_image(layer, 0, edge).size), edge)
        weights, columns, groups = (take(size) for size in Placement.sizes(blocking))
        placements.append(Placement(blocking, input_image(blocking, address), target, weights, columns, groups))
    return Program(accelerator, tuple(placements), free + beat)


def _check_chain(layer: Layer, following: Layer) -> None:
    if layer.output != following.activation:
        raise InputError(
            f"layer {layer.name!r} gives {layer.output}, but {following.name!r} takes {following.activation}"
        )
    if not takes(following, layer):
        raise InputError(
            f"layer {following.name!r} takes images of {following.height}x{following.width}x{following.channels}, but "
            f"{layer.name!r} gives {layer.out_height}x{layer.out_width}x{layer.n}"
        )
