"""Networks with real weights: what training leaves and quantization starts from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..network import Layer
from ..unfold import unfold


@dataclass(frozen=True, eq=False)
class FloatLayer:
    """One layer with its values: relu?(A W + bias).

    Parameters
    ----------
    layer : shape of the layer; its batch and its formats are not used.
    weights : [K, N], rows ordered as `Layer` says.
    bias : [N].
    """

    layer: Layer
    weights: NDArray[np.floating]
    bias: NDArray[np.floating]

    def __post_init__(self) -> None:
        if self.weights.shape != (self.layer.k, self.layer.n) or self.bias.shape != (self.layer.n,):
            raise InputError(
                f"layer {self.layer.name!r}: weights {self.weights.shape} and bias {self.bias.shape} must be "
                f"{(self.layer.k, self.layer.n)} and {(self.layer.n,)}"
            )

    def forward(self, images: NDArray) -> NDArray:
        """Return the outputs [batch, out_height, out_width, filters] for images [batch, height, width, channels]."""
        outputs = unfold(images, self.layer) @ self.weights + self.bias
        if self.layer.relu:
            outputs = np.maximum(outputs, 0)
        return outputs.reshape(len(images), self.layer.out_height, self.layer.out_width, self.layer.n)


@dataclass(frozen=True, eq=False)
class FloatNetwork:
    """A chain of layers, with what its file says about itself (such as its accuracy and the seed of its training)."""

    name: str
    layers: tuple[FloatLayer, ...]
    metadata: dict[str, str] = field(default_factory=dict)

    def forward(self, images: NDArray) -> list[NDArray]:
        """Return the outputs of every layer for real images [batch, height, width, channels]."""
        outputs = [np.asarray(images)]
        for layer in self.layers:
            outputs.append(layer.forward(outputs[-1]))
        return outputs[1:]
