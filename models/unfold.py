"""A convolution as a matrix product: the activation matrix that a layer reads out of its images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .network import Layer


def unfold(images: NDArray, layer: Layer) -> NDArray:
    """Return the activations [M, K] of `layer` for `images` [batch, height, width, channels], in the same dtype.

    Rows run over (image, out row, out column), columns over (kernel row, kernel column, channel). Padding is zero. The
    batch is that of `images`, whatever the layer says; images of another shape are flattened first where their size
    agrees, so that a fully connected layer can follow a convolution.

    Raises
    ------
    ValueError : if the images have not the size of the layer.
    """
    images = images.reshape(-1, layer.height, layer.width, layer.channels)
    edge = (layer.padding, layer.padding)
    padded = np.pad(images, ((0, 0), edge, edge, (0, 0)))
    window = (layer.kernel_height, layer.kernel_width)
    windows = np.lib.stride_tricks.sliding_window_view(padded, window, axis=(1, 2))[:, :: layer.stride, :: layer.stride]
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, layer.k)


def fold(columns: NDArray, layer: Layer) -> NDArray:
    """Return the images [batch, height, width, channels] whose pixels sum what `unfold` reads from them.

    This is the transpose of `unfold`, which carries gradients back; `columns` is [M, K].
    """
    rows, width, stride = layer.out_height, layer.out_width, layer.stride
    windows = columns.reshape(-1, rows, width, layer.kernel_height, layer.kernel_width, layer.channels)
    height, breadth = layer.height + 2 * layer.padding, layer.width + 2 * layer.padding
    padded = np.zeros((len(windows), height, breadth, layer.channels), columns.dtype)
    for y in range(layer.kernel_height):
        for x in range(layer.kernel_width):
            reached = padded[:, y : y + stride * rows : stride, x : x + stride * width : stride]
            reached += windows[:, :, :, y, x]
    return padded[:, layer.padding : height - layer.padding, layer.padding : breadth - layer.padding]
