"""Networks by name and by file: shapes against published counts, weights against ONNX's own evaluator, training."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from dyad.analysis import train_digits
from dyad.models import networks
from dyad.models.errors import InputError
from dyad.models.network import Layer
from dyad.models.networks.digits import digits
from dyad.models.networks.floating import FloatLayer, FloatNetwork

random = np.random.default_rng(3)


def parameters(network) -> int:
    caches = ("attention scores", "attention values")
    return sum(layer.k * layer.n * layer.count for layer in network.layers if layer.name not in caches)


def write(path: Path, nodes, shape, **constants) -> Path:
    """Write a graph from the input "x" to the output "y"."""
    values = [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in constants.items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_empty_tensor_value_info("y")], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def test_resnet18_is_torchvision():
    network = networks.load("resnet18")
    assert len(network.layers) == 21
    assert network.macs == 1_814_073_344
    assert parameters(network) == 11_689_512 - 9_600 - 1_000  # all parameters - batch normalisation - last bias
    shapes = {layer.name: (layer.m, layer.k, layer.n) for layer in network.layers}
    assert shapes["conv1"] == (112 * 112, 147, 64)
    assert shapes["layer2.0.conv1"] == (28 * 28, 576, 128)
    assert shapes["layer4.0.downsample"] == (7 * 7, 256, 512)
    assert shapes["fc"] == (1, 512, 1000)
    assert [layer.name for layer in network.layers if layer.output != "int8"] == ["fc"]
    assert networks.load("resnet18", batch=3).macs == 3 * network.macs


def test_llama2_has_the_published_parameters():
    network = networks.load("llama2-7b")
    embedding, normalization = 32000 * 4096, 65 * 4096
    assert parameters(network) == 6_738_415_616 - embedding - normalization
    layers = {layer.name: layer for layer in network.layers}
    assert {(layer.weight, layer.group) for layer in network.layers} == {("int4", 128), ("int8", None)}
    scores, values, logits = (layers[name] for name in ("attention scores", "attention values", "logits"))
    assert (scores.m, scores.k, scores.n, scores.count) == (2048, 128, 2048, 1024)
    assert (values.m, values.k, values.n, values.count) == (2048, 2048, 128, 1024)
    assert (logits.m, logits.n, logits.count, logits.output) == (1, 32000, 1, "fp16")


def test_decode_is_one_token_in_its_context():
    prefill, decode = (networks.load("llama2-7b", phase=phase, tokens=512, batch=2) for phase in ("prefill", "decode"))
    assert parameters(prefill) == parameters(decode)
    for long, short in zip(prefill.layers[:-1], decode.layers[:-1], strict=True):
        assert (long.k, long.n, long.count) == (short.k, short.n, short.count)
        assert long.m == 512 * short.m
    assert [layer.m for layer in decode.layers] == [2, 2, 2, 1, 1, 2, 2, 2, 2, 2]


def test_bitnet_is_ternary_but_for_its_last_layer():
    network = networks.load("bitnet-3b", phase="decode", tokens=100)
    assert parameters(network) == 26 * (4 * 3200**2 + 3 * 3200 * 8640) + 3200 * 32002
    assert {layer.name: layer.weight for layer in network.layers if layer.weight != "int2"} == {
        "attention scores": "int8",
        "attention values": "int8",
        "logits": "int8",
    }


@pytest.mark.parametrize("name", networks.names())
def test_weight_formats_are_options(name):
    network = networks.load(name, weight="uint3", group=16, zero_point=True)
    described = {(layer.weight, layer.group, layer.zero_point) for layer in network.layers}
    assert described - {("int8", None, False)} == {("uint3", 16, True)}


def test_shapes_need_no_heavy_import():
    code = (
        "import sys; from dyad.models import networks; networks.load('resnet18'); "
        "sys.exit(', '.join({'numpy', 'onnx', 'sklearn', 'scipy'} & sys.modules.keys()) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/", check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("name", ["digits-cnn", "digits-mlp"])
def test_digits_files_say_their_accuracy(name):
    network = networks.load_float(name)
    data = digits()
    score = train_digits.accuracy(network, data.test_images, data.test_labels)
    assert f"{score:.4f}" == network.metadata["accuracy"]
    assert score >= {"digits-cnn": 0.98, "digits-mlp": 0.97}[name]
    assert {"seed", "split", "data", "training"} <= network.metadata.keys()
    shapes = networks.load(name)
    assert shapes.name == name
    assert [layer.k for layer in shapes.layers] == [len(layer.weights) for layer in network.layers]
    assert [layer.output for layer in shapes.layers] == ["int8"] * (len(shapes.layers) - 1) + ["fp32"]
    assert shapes.skipped == ()


def test_digits_are_split_without_overlap():
    data = digits()
    assert (data.train_images.shape, data.test_images.shape) == ((1437, 8, 8, 1), (360, 8, 8, 1))
    assert (data.train_images.min(), data.train_images.max(), data.test_images.dtype) == (0, 1, np.float32)
    assert np.bincount(data.test_labels).min() > 20


@pytest.mark.parametrize("name", ["digits-cnn", "digits-mlp"])
def test_weights_are_those_of_the_onnx_evaluator(name):
    images = digits().test_images[:5]
    path = Path(networks.__file__).with_name(name.replace("-", "_") + ".onnx")
    onnx.checker.check_model(onnx.load(path), full_check=True)
    (expected,) = ReferenceEvaluator(str(path)).run(None, {"images": images.transpose(0, 3, 1, 2)})
    np.testing.assert_allclose(
        networks.load_float(name).forward(images)[-1].reshape(5, 10), expected, rtol=1e-4, atol=1e-4
    )


def test_odd_chain_is_that_of_the_onnx_evaluator(tmp_path):
    """Rectangular kernel and image, stride, no padding, a transposed Gemm with factors, MatMul and Add."""
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c"], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "w2", "b2"], ["g"], transB=1, alpha=0.5, beta=2.0),
        helper.make_node("Relu", ["g"], ["s"]),
        helper.make_node("MatMul", ["s", "w3"], ["m"]),
        helper.make_node("Add", ["b3", "m"], ["y"]),
    ]
    shapes = {"w1": (4, 3, 3, 2), "b1": 4, "w2": (6, 4 * 3 * 4), "b2": 6, "w3": (6, 5), "b3": 5}
    constants = {name: random.normal(size=shape) for name, shape in shapes.items()}
    path = write(tmp_path / "odd_chain.onnx", nodes, ["n", 3, 8, 9], **constants)
    network = networks.load_float(path)
    images = random.normal(size=(3, 8, 9, 3)).astype(np.float32)
    (expected,) = ReferenceEvaluator(str(path)).run(None, {"x": images.transpose(0, 3, 1, 2)})
    np.testing.assert_allclose(network.forward(images)[-1].reshape(3, 5), expected, rtol=1e-4, atol=1e-4)
    shapes_only = networks.load(path, batch=3)
    assert [(layer.m, layer.k, layer.n, layer.relu) for layer in shapes_only.layers] == [
        (36, 18, 4, True),
        (3, 48, 6, True),
        (3, 6, 5, False),
    ]
    assert (network.name, shapes_only.name) == ("odd-chain", "odd-chain")


def test_other_operators_are_counted_and_activations_multiplied(tmp_path):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["q"]),
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["q", "t"], ["s"]),
        helper.make_node("Softmax", ["s"], ["p"]),
        helper.make_node("MatMul", ["p", "x"], ["y"]),
    ]
    path = write(tmp_path / "attention.onnx", nodes, ["n", 4, 7, 8], w=np.ones((8, 8)))
    network = networks.load(path, batch=2, weight="int4", group=8)
    assert network.skipped == (("Transpose", 1), ("Softmax", 1))
    assert [(layer.m, layer.k, layer.n, layer.count, layer.weight, layer.group) for layer in network.layers] == [
        (56, 8, 8, 1, "int4", 8),
        (7, 8, 7, 8, "int8", None),
        (7, 7, 8, 8, "int8", None),
    ]
    with pytest.raises(InputError, match="not a chain of layers alone: it has Transpose, Softmax"):
        networks.load_float(path)


@pytest.mark.parametrize(("attributes", "message"), [
    ({"dilations": [2, 2]}, r"node bad: dilations = \[2, 2\] is not supported; the pixels"),
    ({"pads": [1, 1, 0, 0]}, r"node bad: pads = \[1, 1, 0, 0\] is not supported; padding must be the same"),
    ({"strides": [1, 2]}, r"node bad: strides = \[1, 2\] is not supported"),
    ({"auto_pad": "SAME_UPPER"}, "node bad: auto_pad = SAME_UPPER is not supported; write the padding as pads"),
    ({"group": 2}, "node bad: group = 2 is not supported; every filter must read every channel"),
])  # fmt: skip
def test_unsupported_attributes_are_named(tmp_path, attributes, message):
    kernel = np.ones((4, 2 // attributes.get("group", 1), 3, 3))
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="bad", **attributes)]
    with pytest.raises(InputError, match=message):
        networks.load(write(tmp_path / "bad.onnx", nodes, [1, 2, 9, 9], w=kernel))


@pytest.mark.parametrize(("node", "shape", "weight", "message"), [
    (("Gemm", {"transA": 1}), [5, 1], (5, 3), "transA = 1 is not supported"),
    (("Conv", {}), [1, 2, 9], (4, 2, 3), "its images have 3 dimensions, only 4"),
    (("MatMul", {}), [1, 2], (2,), r"a vector of shape \[2\] is not a matrix"),
    (("MatMul", {}), ["n", "m"], (2, 2), "input 'x' has an open dimension besides its batch"),
    (("Add", {}), [1, 2], (2,), "has no Conv, Gemm, MatMul"),
])  # fmt: skip
def test_unsupported_nodes_are_named(tmp_path, node, shape, weight, message):
    nodes = [helper.make_node(node[0], ["x", "w"], ["y"], **node[1])]
    with pytest.raises(InputError, match=message):
        networks.load(write(tmp_path / "bad.onnx", nodes, shape, w=np.ones(weight)))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: networks.load("resnet-18"), "unknown network 'resnet-18'; did you mean resnet18"),
    (lambda: networks.load("/nowhere/net.onnx"), "no such file: /nowhere/net.onnx"),
    (lambda: networks.load("resnet18", tokens=5), "unknown option of network 'resnet18': 'tokens'"),
    (lambda: networks.load("digits-cnn", weigth="int8"), "'weigth'; did you mean weight"),
    (lambda: networks.load("llama2-7b", phase="prefil"), "unknown phase 'prefil'; did you mean prefill"),
    (lambda: networks.load("bitnet-3b", tokens=0), "tokens is 0, it must be at least 1"),
    (lambda: networks.load_float("resnet18"), "by its shapes only; digits-cnn, digits-mlp have weights"),
    (lambda: networks.load_float("digits"), "unknown network 'digits'; did you mean digits-"),
])  # fmt: skip
def test_bad_requests(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_broken_file_is_one_line(tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a protobuf")
    with pytest.raises(InputError, match=r"broken\.onnx is not a usable ONNX file") as caught:
        networks.load(path)
    assert "\n" not in str(caught.value)


def test_training_gradients_are_differences():
    layers = (
        Layer("a", 2, 3, height=5, width=4, kernel_height=3, kernel_width=3, stride=2, padding=1, relu=True),
        Layer("b", 18, 10),
    )
    start = train_digits.initial("tiny", layers, random)
    # In float32 the differences would be lost in rounding.
    doubles = tuple(
        FloatLayer(each.layer, each.weights.astype(float), each.bias.astype(float)) for each in start.layers
    )
    network = FloatNetwork("tiny", doubles)
    parameters = [values for layer in network.layers for values in (layer.weights, layer.bias)]
    images, labels = random.normal(size=(6, 5, 4, 2)), random.integers(0, 10, 6)

    def loss() -> float:
        logits = network.forward(images)[-1].reshape(6, 10)
        return float((np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(6), labels]).mean())

    for values, slopes in zip(parameters, train_digits.gradients(network, images, labels), strict=True):
        assert values.shape == slopes.shape
        for index in [tuple(random.integers(0, values.shape)) for _ in range(6)]:
            kept, results = values[index], []
            for step in (1e-6, -1e-6):
                values[index] = kept + step
                results.append(loss())
            values[index] = kept
            assert abs((results[0] - results[1]) / 2e-6 - slopes[index]) < 1e-6


def test_training_writes_what_it_trained(tmp_path):
    network = train_digits.initial("digits-cnn", train_digits.CNN, random)
    network.metadata["seed"] = "none"
    path = tmp_path / "trained.onnx"
    path.write_bytes(train_digits.to_onnx(network).SerializeToString())
    again = networks.load_float(path)
    assert again.metadata == {"seed": "none"}
    for left, right in zip(network.layers, again.layers, strict=True):
        np.testing.assert_array_equal(left.weights, right.weights)
        assert left.layer.shape == right.layer.__class__(**{**vars(right.layer), "output": "int8"}).shape


def test_shifts_move_by_one_pixel():
    image = np.zeros((200, 8, 8, 1))
    image[:, 4, 4] = 1
    moved = np.argwhere(train_digits.shifted(image, 1.0, random))[:, 1:3]
    assert {tuple(place) for place in moved} == {(y, x) for y in (3, 4, 5) for x in (3, 4, 5)}
    assert np.array_equal(train_digits.shifted(image, 0.0, random), image)
