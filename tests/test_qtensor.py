"""Group quantization and the quantized tensor, against a naive quantizer of one group at a time."""

from __future__ import annotations

import numpy as np
import pytest

from dyad.models import formats
from dyad.models.errors import InputError
from dyad.models.qtensor import QTensor

random = np.random.default_rng(11)


def naive(group, bits, signed, zero_point, scale_type):
    """Min-max quantization of one group: (elements, scale, zero point)."""
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    low, high = min(0.0, *group), max(0.0, *group)
    if zero_point:
        scale = (high - low) / (most - least)
    else:
        scale = max(high / most if most else 0.0, low / least if least else 0.0)
    scale = float(scale_type(scale)) if scale else 1.0
    zero = min(max(round(least - low / scale), least), most) if zero_point else 0
    return [min(max(round(x / scale) + zero, least), most) for x in group], scale, zero


@pytest.mark.parametrize(
    "name", ["int4_g8", "uint4_g8_z", "int8_channel", "int3_g5", "int4_g8_z", "int1_g4", "uint2_channel_z"]
)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_quantize_is_naive(name, axis):
    format = formats.parse(name)
    x = random.normal(size=(19, 3, 13))
    tensor = format.quantize(x, axis=axis)
    scale_type = np.float16 if format.group else np.float32
    elements, scales, values = (
        np.moveaxis(part, axis, -1) for part in (tensor.integers(), tensor.scale_values, tensor.dequantize())
    )
    zeros = np.moveaxis(tensor.zero_points, axis, -1) if format.zero_point else np.zeros(scales.shape, int)
    for index in np.ndindex(scales.shape):
        start = index[-1] * (format.group or 0)
        inside = (*index[:-1], slice(start, start + format.group if format.group else None))
        group = np.moveaxis(x, axis, -1)[inside].tolist()
        expected, scale, zero = naive(group, format.element.bits, format.element.signed, format.zero_point, scale_type)
        assert elements[inside].tolist() == expected
        assert (scales[index], zeros[index]) == (scale, zero)
        assert values[inside].tolist() == [(q - zero) * scale for q in expected]


@pytest.mark.parametrize(("shape", "axis", "scales"), [
    ((300, 5), 0, (3, 5)), ((300, 5), 1, (300, 1)), ((1, 1), 0, (1, 1)), ((128,), 0, (1,)), ((129, 2, 2), 0, (2, 2, 2)),
])  # fmt: skip
def test_shapes(shape, axis, scales):
    tensor = formats.parse("uint4_g128_z").quantize(random.normal(size=shape), axis=axis)
    assert (tensor.shape, tensor.scales.shape, tensor.zero_points.shape, tensor.axis) == (shape, scales, scales, axis)
    assert (tensor.codes.dtype, tensor.scales.dtype) == (np.uint8, np.uint16)
    assert formats.parse("int4_channel").quantize(np.ones(shape), axis=axis).scales.dtype == np.uint32


def test_one_scale_for_the_tensor():
    x = random.normal(size=(4, 6))
    tensor = formats.parse("int8_tensor").quantize(x)
    assert tensor.scales.shape == (1, 1)
    assert np.abs(tensor.dequantize() - x).max() <= tensor.scale_values.item() / 2 * 1.0001


@pytest.mark.parametrize("name", ["int4_g16", "uint4_g16_z", "int8_channel"])
@pytest.mark.parametrize("clip", ["minmax", "mse"])
def test_zero_and_tiny_groups_stay_finite(name, clip):
    x = np.zeros((32, 3))
    x[:16, 1] = 1e-12
    tensor = formats.parse(name).quantize(x, axis=0, clip=clip)
    assert np.isfinite(tensor.scale_values).all()
    assert (tensor.scale_values > 0).all()
    assert (tensor.dequantize()[:, [0, 2]] == 0).all()
    if not tensor.format.zero_point:
        assert (tensor.integers()[:, 0] == 0).all()


def test_ties_go_to_the_even_multiple_of_the_scale():
    x = [-3, 12, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5]
    tensor = formats.parse("uint4_g8_z").quantize(x)
    assert (tensor.scale_values.tolist(), tensor.zero_points.tolist()) == ([1.0], [3])
    assert tensor.dequantize().tolist() == [-3, 12, 0, 2, 2, 0, -2, -2]


def test_a_scale_beyond_fp16_is_refused():
    with pytest.raises(InputError, match=r"cannot quantize 1e\+06 to int4_g4: its scale would be more than 65504"):
        formats.parse("int4_g4").quantize(np.full((1, 4), 1e6))


@pytest.mark.parametrize("name", ["int4_g32", "uint4_g32_z", "int4_channel", "int2_g32"])
def test_square_error_clipping_never_loses(name):
    x = random.standard_t(3, size=(128, 24))
    errors = {}
    for clip in ("minmax", "mse"):
        tensor = formats.parse(name).quantize(x, axis=0, clip=clip)
        parts = np.square(tensor.dequantize() - x).reshape(tensor.groups, -1, 24)
        errors[clip] = parts.sum(axis=1)
    assert (errors["mse"] <= errors["minmax"]).all()
    assert errors["mse"].sum() < 0.98 * errors["minmax"].sum()


def test_elements_are_optimal_for_the_stored_scale():
    x = random.normal(size=64)
    tensor = formats.parse("int4_g16").quantize(x, clip="mse")
    scale = np.repeat(tensor.scale_values, 16)
    every = np.arange(-8, 8)[:, None] * scale
    assert np.array_equal(np.abs(tensor.dequantize() - x), np.abs(every - x).min(axis=0))


@pytest.mark.parametrize(("call", "message"), [
    (lambda f: f.quantize([[1.0, np.nan]]), "cannot quantize nan to int4_g8; all values must be finite"),
    (lambda f: f.quantize([[1.0, -np.inf]]), "cannot quantize -inf"),
    (lambda f: f.quantize([1.0], axis=1), r"axis 1 does not exist in a tensor of shape \(1,\)"),
    (lambda f: f.quantize([1.0], clip="mean"), "unknown clip 'mean'"),
    (lambda f: QTensor(np.zeros((16, 2), np.uint8), f, np.zeros((1, 2), np.uint16), None, 0),
     r"scales of shape \(1, 2\) do not fit int4_g8, which needs \(2, 2\)"),
    (lambda f: QTensor(np.zeros(8, np.uint8), f, np.zeros(1, np.uint16), np.zeros(1, np.int32), 0),
     "int4_g8 has no zero points"),
    (lambda f: QTensor(np.zeros(8, np.uint8), f, np.zeros(1, np.uint16), None, -1), "axis -1 does not exist"),
])  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call(formats.parse("int4_g8"))
