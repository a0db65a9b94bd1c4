"""Operands with which energy is measured: real and synthetic tensors, quantized to the formats of a mode.

``normal`` are activations from a normal and weights from a Laplace distribution, as transformers have them; ``digits``
are what the second convolution of digits-cnn multiplies on its held-out images: activations after a ReLU, half of
which are 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models import networks
from ...models.formats import BlockFormat, grouped, parse, scalar
from ...models.networks.digits import digits
from ...models.pe import PE, Mode
from ...models.qtensor import QTensor
from ...models.unfold import unfold

STREAMS = ("normal", "digits")
PRODUCTS = 4096
"""Products of a stream, or as many as whole segments have."""

LENGTH = 128
"""Products of a segment, unless the accumulator holds fewer or the mode has blocks of its own."""


def tensors(stream: str, segments: int, length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return real activations [segments, length] and weights [length, segments] of a stream, always the same."""
    random = np.random.default_rng(20)
    if stream == "normal":
        return random.normal(size=(segments, length)), random.laplace(size=(length, segments))
    network = networks.load_float("digits-cnn")
    images = digits().test_images[:16]
    layer = network.layers[1]
    activations = unfold(network.forward(images)[0], layer.layer)
    rows = activations[random.permutation(len(activations))].ravel()[: segments * length]
    weights = np.resize(layer.weights.T.ravel(), segments * length)
    return rows.reshape(segments, length).astype(np.float64), weights.reshape(segments, length).T.astype(np.float64)


def operands(pe: PE, mode: Mode, stream: str) -> dict[str, NDArray[Any]]:
    """Return segments for one cell.

    Parameters
    ----------
    pe, mode : the processing element and what it multiplies.
    stream : one of `STREAMS`.

    Returns
    -------
    dict
        a : numbers of activations [S, 1, K], q : of weights [S, K, 1], with headers; length : products of each [S];
        zero_point, scale : of the finish station, [S, 1].
    """
    step = pe.lanes * mode.packing
    length = min(LENGTH, pe.longest(mode)) // step * step
    if isinstance(parse(mode.weight), BlockFormat):
        length = pe.longest(mode)
    segments = PRODUCTS // length
    real, weights = tensors(stream, segments, length)
    w = _weights(weights, mode, length)
    columns: NDArray[np.int64] = np.zeros((segments, 1), np.int64)
    points = columns if w.zero_points is None else w.zero_points.reshape(-1, 1)
    scales = pe.segment_scales(w, mode)[0] if mode.scale else columns[:, 0]
    q = pe.weight_operands(w, mode)
    return {
        "a": _activations(pe, real, mode)[:, None, :],
        "q": q.T[:, :, None],
        "length": np.full(segments, length),
        "zero_point": points.astype(np.int64),
        "scale": scales.astype(np.int64).reshape(-1, 1),
    }


def _weights(real: NDArray[np.float64], mode: Mode, length: int) -> QTensor:
    """Return weights [K, S] in the format of a mode; integers in a group, with a zero point if they have no sign."""
    format = parse(mode.weight)
    if isinstance(format, BlockFormat):
        return format.quantize(real, axis=0)
    if format.encoding == "integer" and format.bias == 0:
        return grouped(format.name, length, zero_point=not format.signed).quantize(real, axis=0)
    form = parse(f"{format.name}_channel")
    assert isinstance(form, BlockFormat)
    return QTensor(format.encode(real), form, form.scale.encode(np.ones((1, real.shape[1]))), None, 0)


def _activations(pe: PE, real: NDArray[np.float64], mode: Mode) -> NDArray[np.integer]:
    """Return activations [S, K] in the format of a mode; integers fill their range."""
    format = parse(mode.activation)
    if isinstance(format, BlockFormat):
        return pe.activation_operands(format.quantize(real, axis=1), mode)
    scale = np.abs(real).max() / float(format.maximum) if format.encoding == "integer" else 1.0
    return scalar(mode.activation).numbers(format.encode(real / scale))
