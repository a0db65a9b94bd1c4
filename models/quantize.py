"""Post-training quantization: from a network with real weights and a few images to a quantized one.

Activations are int8 and symmetric with one scale per tensor, weights any block format of integers. Everything between
the integers of one layer and those of the next is one dyadic factor per output channel (arXiv 2011.10680).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from . import formats
from .errors import InputError
from .formats import BlockFormat
from .networks.floating import FloatLayer, FloatNetwork
from .pe.output import dyadic
from .program.reduction import LARGEST_BIAS
from .quantized import QuantizedLayer, QuantizedNetwork
from .unfold import unfold


def quantize(
    network: FloatNetwork, images: NDArray[np.floating], weights: str = "int4_channel", clip: str = "mse"
) -> QuantizedNetwork:
    """Return `network` with quantized weights and int8 activations; its last layer gives fp32 logits.

    Parameters
    ----------
    network : a chain of layers with real weights.
    images : calibration images [batch, height, width, channels]; the ranges of all activations are taken from them.
    weights : name of a block format of integers, such as ``int4_channel``, ``int4_g32`` or ``uint4_g32_z``.
    clip : how scales are chosen, ``"minmax"`` or ``"mse"``, as in `BlockFormat.quantize`.

    Raises
    ------
    InputError : if `weights` is not such a format or `clip` is unknown; or if a bias is too large for the integers of
        its channel.
    """
    format = formats.weights(weights)
    if not len(images):
        raise InputError("there are no calibration images")
    inputs = [images, *network.forward(images)[:-1]]
    scales = [activation_scale(values, clip) for values in inputs]
    outputs = [*scales[1:], 1.0]
    layers = tuple(
        _layer(layer, values, format, clip, scale, output, last=layer is network.layers[-1])
        for layer, values, scale, output in zip(network.layers, inputs, scales, outputs, strict=True)
    )
    return QuantizedNetwork(network.name, layers, scales[0], tuple(outputs))


def activation_scale(values: NDArray[np.floating], clip: str = "mse") -> float:
    """Return the real value of one step of int8 that suits `values`."""
    return float(formats.per_tensor("int8").quantize(values, clip=clip).scale_values.item())


def _layer(
    layer: FloatLayer,
    inputs: NDArray,
    format: BlockFormat,
    clip: str,
    input_scale: float,
    output_scale: float,
    last: bool,
) -> QuantizedLayer:
    weights = format.quantize(layer.weights, axis=0, clip=clip)
    # What rounding the weights adds to a typical output is known beforehand, and the bias takes it away.
    corrected = layer.bias + unfold(inputs, layer.layer).mean(axis=0) @ (layer.weights - weights.dequantize())
    # Groups are scaled before they are summed, channels afterwards.
    unit = np.full(layer.layer.n, input_scale)
    if format.group is None:
        # The scale of a channel of zeros means nothing; it is chosen so that the bias comes out finely.
        dead = ~layer.weights.any(axis=0)
        fine = np.where(corrected, np.abs(corrected) / 2**20, 1.0)
        unit = np.where(dead, fine, unit * weights.scale_values[0])
    bias = corrected / unit
    if format.group is None and np.abs(bias).max() > LARGEST_BIAS:
        channel = int(np.abs(bias).argmax())
        raise InputError(
            f"layer {layer.layer.name!r}: bias {corrected[channel]:g} of channel {channel} is more than 2^30 steps of "
            f"{unit[channel]:g}; its weights are too small beside it"
        )
    multiplier, shift = dyadic(unit / output_scale)
    described = replace(
        layer.layer,
        weight=format.element.name,
        group=format.group,
        zero_point=format.zero_point,
        output="fp32" if last else "int8",
    )
    # Adding zero turns -0, which no accumulator holds, into +0.
    stored = np.rint(bias).astype(np.int32) if format.group is None else bias.astype(np.float32) + np.float32(0)
    return QuantizedLayer(described, weights, stored, multiplier, shift)
