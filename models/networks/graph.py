"""Networks out of ONNX files: every Conv, Gemm and MatMul is a layer, with the bias and the ReLU that follow it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ..errors import InputError
from ..network import Layer, Network, gemm

FREE = frozenset({"Constant", "Dropout", "Flatten", "Identity"})
"""Operators that move no data and compute nothing."""


@dataclass(frozen=True)
class Product:
    """A matrix product of a graph: its layer, its node, and the value that leaves it after bias and ReLU."""

    layer: Layer
    node: onnx.NodeProto
    bias: str | None
    result: str


class Graph:
    """An ONNX graph with the shapes of all its values.

    Parameters
    ----------
    path : the ``.onnx`` file.
    batch : what stands for the first dimension of each input where the file leaves it open.
    precision : what `Layer` says of the weights of every product by constants.

    Raises
    ------
    InputError : if the file is not ONNX or a shape stays open, or a node has what no layer can describe.
    """

    def __init__(self, path: Path, batch: int, **precision: Any) -> None:
        try:
            model = onnx.load(path)
            _close_batch(model, batch)
            model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        except InputError:
            raise
        except Exception as error:
            # Protobuf and the shape inference raise a dozen types, all of which mean that this file is unusable.
            raise InputError(f"{path} is not a usable ONNX file: {' '.join(str(error).split())[:200]}") from error
        self.name = path.stem.replace("_", "-")
        self.model, self.graph, self.precision = model, model.graph, precision
        self.constants = {value.name: value for value in self.graph.initializer}
        for node in self.graph.node:
            if node.op_type == "Constant" and "value" in node_attributes(node):
                self.constants[node.output[0]] = node_attributes(node)["value"]
        known = [*self.graph.input, *self.graph.value_info, *self.graph.output]
        self.shapes = {value.name: [size.dim_value for size in value.type.tensor_type.shape.dim] for value in known}
        self.shapes |= {name: list(value.dims) for name, value in self.constants.items()}
        nodes = [node for node in self.graph.node if node.op_type in _READERS]
        if not nodes:
            raise InputError(f"{path} has no {', '.join(_READERS)}, and so no layers")
        self.products = tuple(self._product(node, last=node is nodes[-1]) for node in nodes)

    @property
    def skipped(self) -> tuple[tuple[str, int], ...]:
        """Operators that no layer contains, with their number, in the order of the graph."""
        nodes = (node for product in self.products for node in (product.node, *self._followers(product.node)))
        inside = {node.output[0] for node in nodes}
        left = (node.op_type for node in self.graph.node if node.output[0] not in inside and node.op_type not in FREE)
        return tuple(Counter(left).items())

    def array(self, name: str) -> NDArray:
        """Return the values of a constant."""
        return numpy_helper.to_array(self.constants[name])

    def shape(self, node: onnx.NodeProto, index: int) -> list[int]:
        """Return the shape of an operand of `node`; every dimension must be known."""
        shape = self.shapes.get(node.input[index])
        if not shape or min(shape) < 1:
            raise InputError(f"node {node_name(node)}: the shape of its operand {node.input[index]!r} is not known")
        return shape

    def _followers(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """Return the sum with a constant and the ReLU that read nothing but the result of `node`."""
        found = []
        reader = self._only_reader(node.output[0])
        if (
            node.op_type == "MatMul"
            and reader
            and reader.op_type == "Add"
            and set(reader.input) & self.constants.keys()
        ):
            found.append(reader)
            reader = self._only_reader(reader.output[0])
        if reader and reader.op_type == "Relu":
            found.append(reader)
        return found

    def _only_reader(self, value: str) -> onnx.NodeProto | None:
        readers = [node for node in self.graph.node if value in node.input]
        kept = value in {output.name for output in self.graph.output}
        return readers[0] if len(readers) == 1 and not kept else None

    def _product(self, node: onnx.NodeProto, last: bool) -> Product:
        followers = self._followers(node)
        relu = any(follower.op_type == "Relu" for follower in followers)
        layer = replace(_READERS[node.op_type](self, node), relu=relu, output="fp32" if last else "int8")
        sums = [name for follower in followers for name in follower.input if name in self.constants]
        bias = next(iter([*node.input[2:], *sums]), "") or None
        return Product(layer, node, bias, [node, *followers][-1].output[0])

    def _convolution(self, node: onnx.NodeProto) -> Layer:
        images, kernel = self.shape(node, 0), self.shape(node, 1)
        if len(images) != 4:
            raise InputError(
                f"node {node_name(node)}: its images have {len(images)} dimensions, only 4 can be laid out"
            )
        attributes: dict[str, Any] = {"strides": [1, 1], "pads": [0] * 4, "dilations": [1, 1], "group": 1}
        attributes |= {"auto_pad": b"NOTSET"} | node_attributes(node)
        right = {
            "dilations": attributes["dilations"] == [1, 1],
            "group": attributes["group"] == 1,
            "auto_pad": attributes["auto_pad"] in (b"NOTSET", b"VALID"),
            "pads": len(set(attributes["pads"])) == 1,
            "strides": len(set(attributes["strides"])) == 1,
        }
        for name, supported in right.items():
            if not supported:
                value = attributes[name].decode() if name == "auto_pad" else attributes[name]
                raise InputError(f"node {node_name(node)}: {name} = {value} is not supported; {_WANTED[name]}")
        batch, channels, height, width = images
        return Layer(
            name=node_name(node),
            channels=channels,
            filters=kernel[0],
            batch=batch,
            height=height,
            width=width,
            kernel_height=kernel[2],
            kernel_width=kernel[3],
            stride=attributes["strides"][0],
            padding=attributes["pads"][0],
            **self.precision,
        )

    def _matrix_product(self, node: onnx.NodeProto) -> Layer:
        left, right = self.shape(node, 0), self.shape(node, 1)
        attributes = node_attributes(node)
        if attributes.get("transA"):
            raise InputError(f"node {node_name(node)}: transA = 1 is not supported; {_WANTED['transA']}")
        if len(left) < 2 or len(right) < 2:
            raise InputError(f"node {node_name(node)}: a vector of shape {min(left, right, key=len)} is not a matrix")
        k, n = right[:-3:-1] if attributes.get("transB") else right[-2:]
        if node.input[1] in self.constants and len(right) == 2:
            return gemm(node_name(node), prod(left[:-1]), k, n, **self.precision)
        # A product of two activations: the right one is stored as int8, once for each matrix of the stack.
        return gemm(node_name(node), left[-2], k, n, weight="int8", count=prod(left[:-2]))


_READERS = {"Conv": Graph._convolution, "Gemm": Graph._matrix_product, "MatMul": Graph._matrix_product}
_WANTED = {
    "dilations": "the pixels under a kernel must be neighbours",
    "group": "every filter must read every channel",
    "auto_pad": "write the padding as pads",
    "pads": "padding must be the same on all four sides",
    "strides": "the stride must be the same in both directions",
    "transA": "activations must lie along their last axis",
}


def network(
    path: Path, batch: int = 1, weight: str = "int4", group: int | None = None, zero_point: bool = False
) -> Network:
    """Return the shapes of an ONNX file.

    Parameters
    ----------
    path : the file.
    batch : number of images where the file leaves it open.
    weight, group, zero_point : format of the weights, as in `Layer`; products of two activations take int8 weights.
    """
    graph = Graph(path, batch, weight=weight, group=group, zero_point=zero_point)
    layers = tuple(product.layer for product in graph.products)
    return Network(graph.name, layers, graph.skipped, path.name)


def _close_batch(model: onnx.ModelProto, batch: int) -> None:
    """Write `batch` where the first dimension of an input is open."""
    constants = {value.name for value in model.graph.initializer}
    for value in model.graph.input:
        if value.name not in constants:
            sizes = value.type.tensor_type.shape.dim
            if sizes and not sizes[0].dim_value:
                sizes[0].dim_value = batch
            if not sizes or not all(size.dim_value for size in sizes):
                raise InputError(
                    f"input {value.name!r} has an open dimension besides its batch; export it with fixed sizes"
                )


def node_name(node: onnx.NodeProto) -> str:
    return node.name or node.output[0]


def node_attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
