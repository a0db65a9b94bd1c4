"""Quantized networks: integer activations, block-quantized weights, and the golden result of every layer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .formats import Format, parse, scalar
from .network import Layer, Network
from .pe.description import PE
from .pe.output import rescale
from .qtensor import QTensor
from .unfold import unfold

LARGEST_SHIFT = 63
"""Greatest c of a dyadic factor b / 2^c, by its field in the parameter words."""


@dataclass(frozen=True, eq=False)
class QuantizedLayer:
    """One layer with its values: round(relu?(bias + A W) * multiplier / 2^shift).

    Parameters
    ----------
    layer : shape and precision.
    weights : [K, N], groups along axis 0.
    bias : [N], in the units of the accumulator: int32 for integers with one weight scale per channel, else float32.
    multiplier, shift : uint16 [N] and uint8 [N]: the factor from accumulator to output, multiplier / 2^shift.

    Raises
    ------
    InputError : if a shape or a type does not fit the layer.
    """

    layer: Layer
    weights: QTensor
    bias: NDArray[np.int32] | NDArray[np.float32]
    multiplier: NDArray[np.uint16]
    shift: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.shift.max(initial=0) > LARGEST_SHIFT:
            raise InputError(f"layer {self.layer.name!r}: shift is {self.shift.max()}, at most {LARGEST_SHIFT} fits")
        name, layer, format = self.layer.name, self.layer, self.weights.format
        if self.weights.shape != (layer.k, layer.n) or self.weights.axis != 0:
            raise InputError(
                f"layer {name!r}: weights {self.weights.shape} grouped along axis {self.weights.axis} must be "
                f"{(layer.k, layer.n)} grouped along axis 0"
            )
        described = (layer.weight, layer.group, layer.zero_point)
        own = (format.element.name, format.group, format.zero_point)
        if described not in (own, (format.name, None, False)):
            raise InputError(f"layer {name!r}: weights are {format.name}, the layer says {described}")
        integers = all(is_integer(each) for each in (layer.weight, layer.activation))
        accumulator = np.int32 if layer.group is None and integers else np.float32
        for what, values, dtype in (
            ("bias", self.bias, accumulator),
            ("multiplier", self.multiplier, np.uint16),
            ("shift", self.shift, np.uint8),
        ):
            if values.shape != (layer.n,) or values.dtype != dtype:
                wanted = f"{np.dtype(dtype)} {(layer.n,)}"
                raise InputError(f"layer {name!r}: {what} is {values.dtype} {values.shape}, it must be {wanted}")


def is_integer(name: str) -> bool:
    """Return whether a format is one of integers without scales of their own."""
    format = parse(name)
    return isinstance(format, Format) and format.encoding == "integer"


@dataclass(frozen=True, eq=False)
class QuantizedNetwork:
    """A chain of quantized layers.

    Parameters
    ----------
    name : short name.
    layers : the layers, each for a batch of one image.
    input_scale : real value of one step of the int8 inputs.
    output_scales : real value of one step of each layer's output; 1.0 where the output is floating point.
    """

    name: str
    layers: tuple[QuantizedLayer, ...]
    input_scale: float
    output_scales: tuple[float, ...]

    @property
    def network(self) -> Network:
        """The shapes alone."""
        return Network(self.name, tuple(layer.layer for layer in self.layers))

    def batch(self, size: int) -> QuantizedNetwork:
        """Return the same network for `size` images at once."""
        layers = (replace(layer, layer=replace(layer.layer, batch=size)) for layer in self.layers)
        return replace(self, layers=tuple(layers))

    def encode(self, images: ArrayLike) -> NDArray[np.int8]:
        """Return real images as int8 inputs, rounded to nearest even and saturated."""
        int8 = scalar("int8")
        return int8.integers(int8.encode(np.asarray(images, np.float64) / self.input_scale)).astype(np.int8)

    def forward(self, pe: PE, images: NDArray[np.int8]) -> list[NDArray]:
        """Return the output of every layer as the processing element computes it, bit for bit.

        Parameters
        ----------
        pe : the processing element, for its accumulator.
        images : int8 [batch, height, width, channels].

        Returns
        -------
        list : for each layer int8, float16 or float32 [batch, out_height, out_width, filters].

        Raises
        ------
        InputError : if the images are not int8, or as ``pe.accumulate`` does.
        """
        if images.dtype != np.int8:
            raise InputError(f"images are {images.dtype}, a quantized network takes int8; encode them first")
        outputs: list[NDArray] = [images]
        for layer in self.layers:
            accumulator = pe.accumulate(unfold(outputs[-1], layer.layer), layer.weights, layer.bias)
            result = rescale(accumulator, layer.multiplier, layer.shift, layer.layer.relu, layer.layer.output)
            outputs.append(result.reshape(len(images), layer.layer.out_height, layer.layer.out_width, layer.layer.n))
        return outputs[1:]
