"""Trains the two small networks on handwritten digits and writes them, weights and all, as ONNX.

    python -m dyad.analysis.train_digits

Everything is NumPy: forward and backward passes are matrix products of unfolded images, the optimizer is Adam (arXiv
1412.6980). The seed and the split of the data are fixed and stated in the files, which are part of the project; nobody
needs to train again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ..models import networks
from ..models.network import Layer
from ..models.networks.digits import SPLIT_SEED, TEST_IMAGES, digits
from ..models.networks.floating import FloatLayer, FloatNetwork
from ..models.unfold import fold, unfold

SEED = 7
EPOCHS = 100
BATCH = 64
RATE = 3e-3
DECAY = 1e-2

MLP = (
    Layer("fc1", 64, 64, relu=True),
    Layer("fc2", 64, 32, relu=True),
    Layer("fc3", 32, 10),
)
CNN = (
    Layer("conv1", 1, 16, height=8, width=8, kernel_height=3, kernel_width=3, padding=1, relu=True),
    Layer("conv2", 16, 32, height=8, width=8, kernel_height=3, kernel_width=3, stride=2, padding=1, relu=True),
    Layer("conv3", 32, 32, height=4, width=4, kernel_height=3, kernel_width=3, stride=2, padding=1, relu=True),
    Layer("fc", 128, 10),
)


def initial(name: str, layers: tuple[Layer, ...], generator: np.random.Generator) -> FloatNetwork:
    """Return a network with normal weights of variance 2 / K (arXiv 1502.01852) and no bias."""
    weights = [generator.normal(0, np.sqrt(2 / layer.k), (layer.k, layer.n)).astype(np.float32) for layer in layers]
    return FloatNetwork(
        name,
        tuple(FloatLayer(layer, w, np.zeros(layer.n, np.float32)) for layer, w in zip(layers, weights, strict=True)),
    )


def gradients(network: FloatNetwork, images: NDArray, labels: NDArray) -> list[NDArray]:
    """Return the gradient of the mean cross entropy with respect to weights and bias of each layer, in order."""
    outputs = network.forward(images)
    logits = outputs[-1].reshape(len(images), -1)
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    error = chances / chances.sum(axis=1, keepdims=True) - np.eye(logits.shape[1], dtype=logits.dtype)[labels]
    error /= len(images)

    result: list[NDArray] = []
    for layer, inputs, output in zip(network.layers[::-1], [images, *outputs][-2::-1], outputs[::-1], strict=True):
        error = error.reshape(-1, layer.layer.n)
        if layer.layer.relu:
            error = error * (output.reshape(error.shape) > 0)
        result[:0] = [unfold(inputs, layer.layer).T @ error, error.sum(axis=0)]
        error = fold(error @ layer.weights.T, layer.layer)
    return result


def shifted(images: NDArray, fraction: float, generator: np.random.Generator) -> NDArray:
    """Return the images, about `fraction` of them moved by at most one pixel in each direction."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    moved = generator.random((len(images), 1, 1)) < fraction
    top, left = np.where(moved, generator.integers(0, 3, (2, len(images), 1, 1)), 1)
    rows, columns = np.arange(images.shape[1])[:, None] + top, np.arange(images.shape[2])[None, :] + left
    return padded[np.arange(len(images))[:, None, None], rows, columns]


def train(network: FloatNetwork, shifts: float, generator: np.random.Generator) -> None:
    """Train the arrays of `network` in place on images of which a fraction is shifted.

    The learning rate falls to 0 along a cosine; weights decay apart from the gradient (arXiv 1711.05101).
    """
    data = digits()
    parameters = [values for layer in network.layers for values in (layer.weights, layer.bias)]
    first, second = ([np.zeros_like(values) for values in parameters] for _ in range(2))
    batches = len(data.train_labels) // BATCH
    for step in range(1, EPOCHS * batches + 1):
        if step % batches == 1:
            order = generator.permutation(len(data.train_labels))
        chosen = order[(step - 1) % batches * BATCH :][:BATCH]
        rate = RATE * (1 + np.cos(np.pi * step / (EPOCHS * batches))) / 2
        slopes = gradients(network, shifted(data.train_images[chosen], shifts, generator), data.train_labels[chosen])
        for values, slope, mean, square in zip(parameters, slopes, first, second, strict=True):
            mean += 0.1 * (slope - mean)
            square += 0.001 * (slope**2 - square)
            scale = np.sqrt(square / (1 - 0.999**step)) + 1e-8
            values -= (rate * (mean / (1 - 0.9**step) / scale + DECAY * values)).astype(values.dtype)


def accuracy(network: FloatNetwork, images: NDArray, labels: NDArray) -> float:
    """Return the fraction of `images` whose greatest logit is that of their label."""
    return float((network.forward(images)[-1].reshape(len(labels), -1).argmax(axis=1) == labels).mean())


def to_onnx(network: FloatNetwork) -> onnx.ModelProto:
    """Return the network as an ONNX graph of Conv, Relu, Flatten and Gemm, channels first, batch open."""
    image: tuple[int, ...] = (1, 8, 8)
    value, nodes, constants = "images", [], []
    for layer in network.layers:
        shape, name = layer.layer, layer.layer.name
        attributes: dict[str, Any] = {}
        if shape.kernel_height > 1:
            operator = "Conv"
            window = [shape.kernel_height, shape.kernel_width]
            weights = layer.weights.reshape(*window, shape.channels, shape.n).transpose(3, 2, 0, 1)
            attributes = {"kernel_shape": window, "strides": [shape.stride] * 2, "pads": [shape.padding] * 4}
            image = (shape.n, shape.out_height, shape.out_width)
        else:
            operator, weights = "Gemm", layer.weights
            if len(image) > 1:
                nodes.append(helper.make_node("Flatten", [value], ["flat"], name="flatten"))
                value = "flat"
                # A flattened image runs over channels first in the file and over channels last in ours.
                weights = weights.reshape(*image[1:], image[0], shape.n).transpose(2, 0, 1, 3).reshape(-1, shape.n)
            image = (shape.n,)
        parameters = {f"{name}.weight": weights, f"{name}.bias": layer.bias}
        constants += [numpy_helper.from_array(np.ascontiguousarray(array), key) for key, array in parameters.items()]
        nodes.append(helper.make_node(operator, [value, *parameters], [name], name=name, **attributes))
        value = name
        if shape.relu:
            value = f"{name}.relu"
            nodes.append(helper.make_node("Relu", [name], [value], name=value))

    inputs = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 1, 8, 8])
    outputs = helper.make_tensor_value_info(value, TensorProto.FLOAT, ["batch", 10])
    graph = helper.make_graph(nodes, network.name, [inputs], [outputs], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="dyad")
    helper.set_model_props(model, network.metadata)
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    data = digits()
    # Shifts help the convolutions and harm the other network, whose weights know each pixel by its place.
    for name, layers, shifts in (("digits-mlp", MLP, 0.0), ("digits-cnn", CNN, 0.5)):
        generator = np.random.default_rng(SEED)
        network = initial(name, layers, generator)
        train(network, shifts, generator)
        score = accuracy(network, data.test_images, data.test_labels)
        network.metadata.update(
            accuracy=f"{score:.4f}",
            seed=str(SEED),
            data="sklearn.datasets.load_digits, grey levels / 16",
            split=f"numpy.random.default_rng({SPLIT_SEED}).permutation, the first {TEST_IMAGES} of 1797 held out",
            training=f"{EPOCHS} epochs of Adam in batches of {BATCH}, {shifts:.0%} of the images shifted by a pixel",
        )
        path = Path(networks.__file__).parent / f"{name.replace('-', '_')}.onnx"
        path.write_bytes(to_onnx(network).SerializeToString())
        print(f"{name}: accuracy {score:.2%} on {TEST_IMAGES} held-out images -> {path}")


if __name__ == "__main__":
    main()
