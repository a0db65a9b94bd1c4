"""Post-training quantization and the golden quantized network, against a naive network of Python integers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dyad.models import formats, networks, pe
from dyad.models.errors import InputError
from dyad.models.network import Layer
from dyad.models.networks.digits import digits
from dyad.models.networks.floating import FloatLayer, FloatNetwork
from dyad.models.quantize import activation_scale, quantize
from dyad.models.quantized import QuantizedLayer
from dyad.models.unfold import fold, unfold

random = np.random.default_rng(5)
IMAGES: Any = np.ones((1, 5, 4, 2))
MIXPE = pe.get("mixpe")
LAYERS = (
    Layer("a", 2, 3, height=5, width=4, kernel_height=3, kernel_width=2, stride=2, padding=1, relu=True),
    Layer("b", 27, 4),
)


def network(layers=LAYERS, **changes) -> FloatNetwork:
    made = [FloatLayer(each, random.normal(size=(each.k, each.n)), random.normal(size=each.n)) for each in layers]
    return FloatNetwork("small", tuple(replace(each, **changes) for each in made))


def pixels(image, layer, row, column):
    """The activations of one output pixel, read one by one."""
    for y in range(layer.kernel_height):
        for x in range(layer.kernel_width):
            for channel in range(layer.channels):
                place = row * layer.stride + y - layer.padding, column * layer.stride + x - layer.padding
                inside = 0 <= place[0] < layer.height and 0 <= place[1] < layer.width
                yield image[*place, channel].item() if inside else 0


def naive(quantized: QuantizedLayer, image):
    """One output pixel after another, in Python integers, fractions and NumPy float32 scalars."""
    layer, weights = quantized.layer, quantized.weights
    size = weights.format.group or layer.k
    zeros = np.zeros(weights.scales.shape, int) if weights.zero_points is None else weights.zero_points
    result = np.empty((layer.out_height, layer.out_width, layer.n))
    for row, column, n in np.ndindex(result.shape):
        line = list(pixels(image, layer, row, column))
        total: Any = quantized.bias[n]
        for group, start in enumerate(range(0, layer.k, size)):
            inside = range(start, min(start + size, layer.k))
            part = sum(line[k] * (int(weights.integers()[k, n]) - int(zeros[group, n])) for k in inside)
            if weights.format.group:
                total = np.float32(total + np.float32(float(weights.scale_values[group, n]) * part))
            else:
                total = int(total) + part
        total = Fraction(float(total)) * int(quantized.multiplier[n]) / 2 ** int(quantized.shift[n])
        total = max(total, Fraction(0)) if layer.relu else total
        result[row, column, n] = (
            np.clip(round(total), -128, 127) if layer.output == "int8" else np.float32(float(total))
        )
    return result


def test_unfold_reads_pixels():
    layer = LAYERS[0]
    images = random.normal(size=(2, 5, 4, 2))
    rows = [
        list(pixels(image, layer, row, column))
        for image in images
        for row, column in np.ndindex(layer.out_height, layer.out_width)
    ]
    np.testing.assert_array_equal(unfold(images, layer), rows)


def test_fold_is_the_transpose_of_unfold():
    layer = LAYERS[0]
    images, columns = random.normal(size=(2, 5, 4, 2)), random.normal(size=(2 * layer.m, layer.k))
    assert np.isclose((unfold(images, layer) * columns).sum(), (images * fold(columns, layer)).sum())


@pytest.mark.parametrize("weights", ["int4_channel", "int4_g5", "uint4_g8_z", "uint8_channel_z", "int8_g16", "int2_g4"])
def test_forward_is_naive(weights):
    images = random.normal(size=(3, 5, 4, 2))
    quantized = quantize(network(), images, weights)
    inputs = quantized.encode(images)
    first, last = quantized.forward(MIXPE, inputs)
    assert (first.dtype, last.dtype) == (np.int8, np.float32)
    for image, middle, output in zip(inputs, first, last, strict=True):
        np.testing.assert_array_equal(middle, naive(quantized.layers[0], image))
        np.testing.assert_array_equal(output, naive(quantized.layers[1], middle.reshape(1, 1, -1)))


@pytest.mark.parametrize("clip", ["minmax", "mse"])
@pytest.mark.parametrize(("weights", "error"), [("int8_channel", 0.05), ("uint8_g8_z", 0.05), ("int4_g8", 0.5)])
def test_outputs_approach_the_real_network(weights, clip, error):
    real, images = network(), random.uniform(-1, 1, size=(50, 5, 4, 2))
    quantized = quantize(real, images, weights, clip)
    outputs = quantized.forward(MIXPE, quantized.encode(images))
    for output, scale, expected in zip(outputs, quantized.output_scales, real.forward(images), strict=True):
        assert np.sqrt(np.square(output * scale - expected).mean()) < error * expected.std()


@pytest.mark.parametrize("weights", ["int4_channel", "int4_g32", "uint4_g32_z", "uint4_channel_z", "int8_channel"])
@pytest.mark.parametrize("name", ["digits-cnn", "digits-mlp"])
def test_digits_lose_at_most_one_point(name, weights):
    data, real = digits(), networks.load_float(name)
    quantized = quantize(real, data.train_images[:256], weights)
    logits = quantized.forward(MIXPE, quantized.encode(data.test_images))[-1].reshape(len(data.test_labels), -1)
    score = (logits.argmax(axis=1) == data.test_labels).mean()
    assert score >= float(real.metadata["accuracy"]) - 0.01


def test_bias_takes_away_the_mean_error_of_rounded_weights():
    real, images = network(LAYERS[1:]), random.uniform(0, 1, size=(200, 1, 1, 27))
    quantized = quantize(real, images, "int3_channel", "minmax")
    (output,) = quantized.forward(MIXPE, quantized.encode(images))
    error = (output - real.forward(images)[0]).mean(axis=(0, 1, 2))
    assert np.abs(error).max() < 0.02


def test_shapes_and_precision_are_described():
    images = random.normal(size=(3, 5, 4, 2))
    quantized = quantize(network(), images, "uint4_g8_z")
    described = [(each.weight, each.group, each.zero_point, each.output) for each in quantized.network.layers]
    assert described == [("uint4", 8, True, "int8"), ("uint4", 8, True, "fp32")]
    assert quantized.input_scale == activation_scale(images)
    assert [each.bias.dtype for each in quantized.layers] == [np.float32] * 2
    assert quantized.output_scales[-1] == 1.0


def test_channel_of_zeros_keeps_its_bias():
    layer = Layer("b", 27, 2)
    weights = np.zeros((27, 2))
    weights[:, 1] = 1.0
    real = FloatNetwork("dead", (FloatLayer(layer, weights, np.array([0.12345, 0.0])),))
    images = random.uniform(-1, 1, size=(9, 1, 1, 27))
    quantized = quantize(real, images, "int4_channel")
    (output,) = quantized.forward(MIXPE, quantized.encode(images))
    np.testing.assert_allclose(output[..., 0], 0.12345, rtol=1e-5)


def test_no_stored_bias_is_minus_zero():
    layer = Layer("b", 4, 1)
    real = FloatNetwork("zero", (FloatLayer(layer, np.zeros((4, 1)), np.array([-1e-60])),))
    quantized = quantize(real, np.ones((1, 1, 1, 4)), "int4_g2")
    assert not np.signbit(quantized.layers[0].bias).any()


def small(**changes: Any) -> QuantizedLayer:
    weights = formats.parse("int4_channel").quantize(np.ones((4, 2)), axis=0)
    values = (np.zeros(2, np.int32), np.ones(2, np.uint16), np.zeros(2, np.uint8))
    return replace(QuantizedLayer(Layer("b", 4, 2), weights, *values), **changes)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: quantize(network(), IMAGES, "fp16"), "weights cannot be fp16; they need a group"),
    (lambda: quantize(network(), IMAGES, "int8_tensor"), "weights cannot be int8_tensor"),
    (lambda: quantize(network(), IMAGES, clip="max"), "unknown clip 'max'"),
    (lambda: quantize(network(), np.ones((0, 5, 4, 2))), "there are no calibration images"),
    (lambda: quantize(network(LAYERS[1:], weights=np.full((27, 4), 1e-12)), np.ones((1, 1, 1, 27))),
     r"layer 'b': bias .* of channel . is more than 2\^30 steps of"),
    (lambda: quantize(network(), IMAGES).forward(MIXPE, IMAGES),
     "images are float64, a quantized network takes int8; encode them first"),
    (lambda: small(layer=Layer("b", 5, 2)), r"weights \(4, 2\) grouped along axis 0 must be \(5, 2\)"),
    (lambda: small(layer=Layer("b", 4, 2, group=2)), "weights are int4_channel, the layer says"),
    (lambda: small(bias=np.zeros(2)), r"bias is float64 \(2,\), it must be int32 \(2,\)"),
    (lambda: small(shift=np.zeros(3, np.uint8)), r"shift is uint8 \(3,\), it must be uint8 \(2,\)"),
    (lambda: FloatLayer(Layer("b", 4, 2), np.ones((4, 3)), np.ones(2)), r"layer 'b': weights \(4, 3\) and bias \(2,\)"),
])  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
