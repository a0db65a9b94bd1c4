"""The weights of an ONNX file that is a chain of layers."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from ..errors import InputError
from .floating import FloatLayer, FloatNetwork
from .graph import FREE, Graph, node_attributes, node_name


def load(path: Path) -> FloatNetwork:
    """Return the layers of an ONNX file with their weights, turned from channels first to channels last."""
    graph = Graph(path, batch=1)
    if graph.skipped:
        others = ", ".join(operator for operator, _ in graph.skipped)
        raise InputError(f"{path} is not a chain of layers alone: it has {others}")
    # Where the chain has come to, and the shape of one image there: channels first, or flat.
    value = graph.graph.input[0].name
    image = graph.shapes[value][1:]
    layers = []
    for product in graph.products:
        layer, node = product.layer, product.node
        for free in graph.graph.node:
            if free.op_type in FREE and value in free.input:
                value = free.output[0]
        if node.input[0] != value or node.input[1] not in graph.constants:
            raise InputError(f"node {node_name(node)} does not multiply the result of the layer before it by constants")
        attributes = {"alpha": 1.0, "beta": 1.0, "transB": 0, **node_attributes(node)}
        weights = graph.array(node.input[1]).astype(np.float64) * attributes["alpha"]
        if node.op_type == "Conv":
            weights = weights.transpose(2, 3, 1, 0)
            image = [layer.n, layer.out_height, layer.out_width]
        elif layer.k != prod(image):
            raise InputError(f"node {node_name(node)} takes rows of {layer.k}, the layer before it gives {prod(image)}")
        else:
            weights = weights.T if attributes["transB"] else weights
            weights = np.moveaxis(weights.reshape(*image, layer.n), 0, -2)
            image = [layer.n]
        bias = np.zeros(layer.n) if product.bias is None else graph.array(product.bias).astype(np.float64)
        layers.append(FloatLayer(layer, weights.reshape(layer.k, layer.n), bias.reshape(-1) * attributes["beta"]))
        value = product.result
    metadata = {entry.key: entry.value for entry in graph.model.metadata_props}
    return FloatNetwork(graph.name, tuple(layers), metadata)
