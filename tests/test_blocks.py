"""Block formats: the arrays against the one-block-at-a-time reference, ml_dtypes and gfloat."""

from __future__ import annotations

import re
from fractions import Fraction

import gfloat
import gfloat.formats
import ml_dtypes
import numpy as np
import pytest

from dyad.models import formats
from dyad.models.errors import InputError
from dyad.models.formats import block, block_names, block_reference
from dyad.models.qtensor import QTensor

MX = ["mxfp4", "mxfp6_e2m3", "mxfp6_e3m2", "mxfp8_e4m3", "mxfp8_e5m2", "mxint8"]
RULES = ["floor", "even", "ceil", "rceil"]
ROUNDINGS = ["nearest-even", "nearest-away", "toward-zero", "up", "down"]


def blocks_of(size, seed=5, count=24):
    """Blocks [blocks, size] of float32 over the whole range, with ties, powers of two and thresholds of the rules."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, size)) * 2.0 ** random.integers(-20, 20, (count, 1))
    x[0] = 0
    x[1] *= 1e-38 / np.abs(x[1]).max()
    x[2] *= 1e-44 / np.abs(x[2]).max()
    x[3] *= 3.4e38 / np.abs(x[3]).max()
    x[4] *= 2.0 ** random.integers(-40, 1, size)
    x[5:] = np.where(random.random(x[5:].shape) < 0.5, np.round(x[5:] * 16) / 16, x[5:])
    thresholds = [1.0, 1.5, 1.75, 1.875, 1.9375, 1.984375, 1.9921875, 1.25, np.nextafter(np.float32(1.75), 2)]
    for row, threshold in zip(x[6:], thresholds, strict=False):
        row[:] = random.normal(size=size)
        row *= threshold / np.abs(row).max()
    return x.astype(np.float32) + np.float32(0)


def nvfp4_tensor(*coarse):
    """Return a tensor of zeros [2, 16]."""
    return QTensor(np.zeros((2, 16), np.uint8), formats.parse("nvfp4"), np.zeros((2, 1), np.uint8), None, 1, coarse)


def shape_back(format, x, axis):
    """Return the codes of the blocks of `x` [blocks, size], quantized along another axis."""
    tensor = format.quantize(np.moveaxis(x.reshape(4, -1, x.shape[1]), -1, axis), axis=axis)
    return [np.moveaxis(part, axis, -1).reshape(len(x), -1) for part in (tensor.codes, *tensor.levels) if part.size > 1]


@pytest.mark.parametrize(("name", "element", "bits", "extents"), [
    ("mxfp4", "e2m1", 4.25, [32]), ("mxfp6_e2m3", "e2m3", 6.25, [32]), ("mxfp6_e3m2", "e3m2", 6.25, [32]),
    ("mxfp8_e4m3", "e4m3", 8.25, [32]), ("mxfp8_e5m2", "e5m2", 8.25, [32]), ("mxint8", "int8f6", 8.25, [32]),
    ("nvfp4", "e2m1", 4.5, ["tensor", 16]), ("nvint4", "int4", 4.5, ["tensor", 16]),
    ("hif4", "e1m2b1finite", 4.5, [64, 8, 4]), ("bfp(3,16)", "e1m2b1finite", 4.5, [16]),
    ("bfp(1,8)", "e1m0b1finite", 3.0, [8]), ("dfp16", "int16f14", 16.0, ["tensor"]),
    ("int4_g128", "int4", 4.125, [128]), ("uint4_g128_z", "uint4", 4.15625, [128]),
])  # fmt: skip
def test_named(name, element, bits, extents):
    format = formats.parse(name)
    assert (format.name, format.element.name, format.bits) == (name, element, bits)
    assert [level.extent for level in format.levels] == extents


def test_every_listed_name_is_found():
    for name in block_names.names():
        assert formats.parse(name).name == name
        assert name in formats.names()


def test_a_new_format_is_one_line():
    scale = formats.Level(formats.scalar("e8m0"), 16)
    added = formats.add_block(formats.BlockFormat("mxfp6_16", formats.scalar("e3m2"), (scale,), "shared-exponent"))
    assert formats.parse("mxfp6_16") is added
    assert formats.add_block(added) is added
    assert added.quantize(np.full(16, 28 * 2.0**7)).dequantize().tolist() == [28 * 2.0**7] * 16
    assert "mxfp6_16" in block_names.names()


@pytest.mark.parametrize("name", [*MX, "bfp(1,16)", "bfp(3,16)", "bfp(7,12)"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shared_exponent_equals_reference(name, rule, dtype):
    format = formats.parse(name)
    x = blocks_of(format.block).astype(dtype)
    tensor = format.quantize(x, rule=rule)
    for row, codes, scale in zip(x, tensor.codes, tensor.scales, strict=True):
        expected = block_reference.shared_exponent(format, row.tolist(), rule)
        assert (int(scale[0]), codes.tolist()) == expected


@pytest.mark.parametrize("name", ["mxfp4", "mxint8", "bfp(3,16)"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_roundings_equal_reference(name, rounding):
    format = formats.parse(name)
    x = blocks_of(format.block)
    tensor = format.quantize(x, rounding=rounding)
    for row, codes in zip(x, tensor.codes, strict=True):
        assert codes.tolist() == block_reference.shared_exponent(format, row.tolist(), rounding=rounding)[1]


def with_ties(format, x):
    """Return `x` with values about ties, as closely as float32 can: of elements in even rows, of scales in odd ones."""
    unit = np.abs(x[0]).max() / 448
    scales = formats.scalar("e4m3").decode(np.arange(0x30, 0x7F))
    middles = np.repeat((scales[1:] + scales[:-1]) / 2, 5)[: len(x) // 2]
    x[1::2] = np.clip(x[1::2], -middles[:, None] * unit / 2, middles[:, None] * unit / 2)
    x[1::2, 3] = neighbours(np.float32(middles * unit), np.arange(len(middles)) % 5 - 2)
    scales = format.quantize(x).scale_values.astype(np.float32)[2::2]
    ties = np.resize(np.float32([0.75, 1.25, 1.75, 2.5]), scales.shape)
    x[2::2, :5] = neighbours(ties * scales, np.arange(-2, 3))
    return x


def neighbours(x, steps):
    """Return the float32 so many steps away from `x`, which is not negative, and no less than 0."""
    return np.maximum(x.view(np.int32) + steps.astype(np.int32), 0).view(np.float32)


@pytest.mark.parametrize("name", ["nvfp4", "nvint4"])
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e-42, 1e30])
def test_two_level_equals_reference(name, scale):
    format = formats.parse(name)
    x = np.random.default_rng(6).normal(size=(200, 16)) * 2.0 ** np.random.default_rng(7).integers(-6, 1, (200, 1))
    x[0] *= 2.0**10
    x = with_ties(format, (x * scale).astype(np.float32)) + np.float32(0)
    x[2] = 0
    tensor = format.quantize(x)
    tensor_scale, coded = block_reference.two_level(format, list(x))
    assert tensor.coarse[0].view(np.float32).tolist() == [[tensor_scale]]
    assert [(int(scale[0]), codes.tolist()) for scale, codes in zip(tensor.scales, tensor.codes, strict=True)] == coded


@pytest.mark.parametrize("name", ["nvfp4", "nvint4"])
def test_two_levels_reach_the_greatest_value(name):
    x = np.random.default_rng(1).normal(size=(8, 32))
    tensor = formats.parse(name).quantize(x)
    assert tensor.coarse[0].shape == (1, 1)
    assert tensor.format.scale.decode(tensor.scales).max() == 448
    assert np.abs(tensor.dequantize()).max() == pytest.approx(np.abs(x).max(), rel=1e-6)
    assert (formats.parse(name).quantize(np.zeros((2, 32))).dequantize() == 0).all()


def test_nvint4_is_symmetric():
    # A scale far below its least normal number is rounded so coarsely that -7.5 and less come up.
    x = np.zeros((64, 16), np.float32)
    x[0, 0] = 1
    x[1:] = np.random.default_rng(2).normal(size=(63, 16)) * 2.0**-18
    elements = formats.parse("nvint4").quantize(x).integers()
    assert elements.min() == -7


def test_one_bit_exponents_equal_reference():
    format = formats.parse("hif4")
    x = blocks_of(64, count=40) * np.float32(0.5) + np.float32(0)
    x[20:] = np.random.default_rng(3).normal(size=(20, 64)) * np.repeat(2.0 ** np.arange(-8, 8), 4)
    tensor = format.quantize(x)
    for index, row in enumerate(x):
        levels, elements = block_reference.one_bit_exponents(format, row.tolist())
        assert [codes[index].tolist() for codes in tensor.levels] == levels
        assert tensor.codes[index].tolist() == elements


def test_scales_of_one_bit_exponents_equal_reference():
    # Every bfloat16 from 1 to 4 as the greatest magnitude of a block.
    x = np.zeros((256, 64), np.float32)
    x[:, 5] = np.repeat([1, 2], 128) * (1 + np.tile(np.arange(128), 2) / 128)
    format = formats.parse("hif4")
    expected = [block_reference.one_bit_exponents(format, row.tolist())[0][0] for row in x]
    assert format.quantize(x).coarse[0].tolist() == expected


def test_one_bit_exponents_value():
    # E6M2 1.0 at the top; the second eight are doubled once, the last four of them twice.
    x = np.ones(64)
    x[8:16], x[12:16] = 2.5, [7, 6, -5, 0.5]
    tensor = formats.parse("hif4").quantize(x)
    assert [codes.tolist() for codes in tensor.levels] == [[192], [0, 1, *[0] * 6], [0, 0, 0, 1, *[0] * 12]]
    assert tensor.dequantize()[:16].tolist() == [1] * 8 + [2.5] * 4 + [7, 6, -5, 1]


@pytest.mark.parametrize(("name", "info"), [
    ("mxfp4", "mxfp4_e2m1"), ("mxfp6_e2m3", "mxfp6_e2m3"), ("mxfp6_e3m2", "mxfp6_e3m2"),
    ("mxfp8_e4m3", "mxfp8_e4m3"), ("mxfp8_e5m2", "mxfp8_e5m2"), ("mxint8", "mxint8"),
])  # fmt: skip
def test_mx_equals_gfloat(name, info):
    described = getattr(gfloat.formats, f"format_info_{info}", None) or getattr(gfloat.formats, f"format_info_{name}")
    x = blocks_of(32, seed=9)
    values = formats.parse(name).quantize(x).dequantize()
    for row, ours in zip(x.astype(np.float64), values, strict=True):
        if not row.any():
            assert not ours.any()
            continue
        scale = 2.0 ** max(np.floor(np.log2(np.abs(row).max())) - np.floor(np.log2(described.etype.max)), -127)
        element = gfloat.round_ndarray(described.etype, row / scale, sat=True)
        assert np.array_equal(ours, element * scale)


@pytest.mark.parametrize(("name", "dtype", "emax"), [
    ("mxfp4", ml_dtypes.float4_e2m1fn, 2), ("mxfp6_e2m3", ml_dtypes.float6_e2m3fn, 2),
    ("mxfp6_e3m2", ml_dtypes.float6_e3m2fn, 4), ("mxfp8_e4m3", ml_dtypes.float8_e4m3fn, 8),
    ("mxfp8_e5m2", ml_dtypes.float8_e5m2, 15),
])  # fmt: skip
def test_mx_equals_ml_dtypes(name, dtype, emax):
    x = np.random.default_rng(4).normal(size=(300, 96)).astype(np.float32)
    tensor = formats.parse(name).quantize(x)
    greatest = np.abs(x.reshape(300, 3, 32)).max(axis=-1)
    scale = 2.0 ** (np.floor(np.log2(greatest)) - emax)
    assert np.array_equal(tensor.scales.view(ml_dtypes.float8_e8m0fnu).astype(np.float64), scale)
    limit = float(ml_dtypes.finfo(dtype).max)
    elements = np.clip(x / np.repeat(scale, 32, axis=1), -limit, limit).astype(dtype)
    assert np.array_equal(tensor.codes, elements.view(np.uint8))


@pytest.mark.parametrize("name", [*MX, "hif4", "nvfp4", "bfp(7,16)", "uint4_g32_z"])
def test_any_axis(name):
    format = formats.parse(name)
    x = np.random.default_rng(8).normal(size=(40, 64)).astype(np.float32)
    expected = shape_back(format, x, 2)
    for axis in (0, 1, -1, -3):
        for ours, other in zip(shape_back(format, x, axis), expected, strict=True):
            assert np.array_equal(ours, other)


@pytest.mark.parametrize("name", [*MX, "hif4", "nvfp4", "nvint4", "bfp(7,16)", "int4_g32"])
@pytest.mark.parametrize("length", [1, 5, 31, 33, 100])
def test_the_last_block_may_be_short(name, length):
    """It is what the block is whose other values are 0, cut off where they begin."""
    format = formats.parse(name)
    x = np.random.default_rng(length).normal(size=(3, length)).astype(np.float32)
    tensor = format.quantize(x)
    full = format.quantize(np.pad(x, [(0, 0), (0, -length % (format.block or 1))]))
    assert np.array_equal(tensor.codes, full.codes[:, :length])
    for ours, padded in zip(tensor.levels, full.levels, strict=True):
        assert np.array_equal(ours, padded[:, : ours.shape[1]])
    assert np.array_equal(tensor.dequantize(), full.dequantize()[:, :length])


@pytest.mark.parametrize("name", ["mxfp4", "nvfp4", "hif4", "int4_g32"])
def test_large_tensors_are_the_sum_of_their_parts(name, monkeypatch):
    x = np.random.default_rng(8).normal(size=(70, 192)).astype(np.float32)
    x[0, 0] = 7
    whole = formats.parse(name).quantize(x)
    monkeypatch.setattr(block, "CHUNK", 256)
    monkeypatch.setattr(block, "STRIP", 5)
    small = formats.parse(name).quantize(np.asfortranarray(x))
    for ours, other in zip((whole.codes, *whole.levels), (small.codes, *small.levels), strict=True):
        assert np.array_equal(ours, other)


@pytest.mark.parametrize("name", [*MX, "nvfp4", "nvint4", "hif4", "bfp(7,64)"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_spoils_its_block_only(name, bad):
    format = formats.parse(name)
    x = np.random.default_rng(8).normal(size=(3, 128)).astype(np.float32)
    x[0, 0] = 9
    clean = format.quantize(x).dequantize()
    x[1, 70] = bad
    values = format.quantize(x).dequantize()
    spoilt = np.zeros(x.shape, bool)
    spoilt[1, 70 // format.block * format.block :][: format.block] = True
    assert np.isnan(values[spoilt]).all()
    assert np.array_equal(values[~spoilt], clean[~spoilt])
    everything = format.quantize(np.full((1, 64), bad)).dequantize()
    assert np.isnan(everything).all()


def test_two_levels_take_what_float32_cannot_hold_for_infinite():
    x = np.ones((2, 16))
    x[0, 0] = 1e300
    assert np.isnan(formats.parse("nvfp4").quantize(x).dequantize()[0]).all()
    assert formats.parse("nvfp4").quantize(x).dequantize()[1] == pytest.approx(1)


def test_shared_exponents_stay_within_their_scale():
    format = formats.parse("mxfp8_e5m2")
    tensor = format.quantize([[1e300] * 32, [-1e-300] * 32, [0.0] * 32, [2.0**-127] * 32, [1.75 * 2.0**127] * 32])
    assert tensor.scales.ravel().tolist() == [254, 0, 0, 0, 127 + 112]
    assert tensor.dequantize()[:, 0].tolist() == [57344 * 2.0**127, 0, 0, 2.0**-127, 1.75 * 2.0**127]


def test_directed_rounding_sees_the_least_values():
    x = np.zeros(32, np.float32)
    x[:3] = 3e38, 1e-45, -1e-45
    format = formats.parse("mxfp4")
    step = format.quantize(x).scale_values[0] / 2
    assert format.quantize(x, rounding="up").dequantize()[1:4].tolist() == [step, 0, 0]
    assert format.quantize(x, rounding="down").dequantize()[1:4].tolist() == [0, -step, 0]


def test_stochastic_rounding():
    format = formats.parse("mxint8")
    x = np.full(2 * block.CHUNK, 1 + 1 / 256)
    tensor = format.quantize(x, rounding="stochastic", seed=3)
    assert np.array_equal(tensor.codes, format.quantize(x, rounding="stochastic", seed=3).codes)
    assert tensor.dequantize().mean() == pytest.approx(1 + 1 / 256, rel=2e-4)
    assert (tensor.codes[: block.CHUNK] != tensor.codes[block.CHUNK :]).any()
    with pytest.raises(InputError, match="needs seed="):
        format.quantize(x, rounding="stochastic")


@pytest.mark.parametrize("bits", [8, 16])
def test_dynamic_fixed_point_is_integers_times_a_power_of_two(bits):
    x = np.random.default_rng(8).normal(size=(30, 7, 5)) * 100
    tensor = formats.parse(f"dfp{bits}").quantize(x, axis=1)
    step = 2.0 ** (np.floor(np.log2(np.abs(x).max())) - (bits - 2))
    assert np.array_equal(
        tensor.dequantize(), np.clip(np.rint(x / step), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) * step
    )
    assert tensor.scales.shape == (1, 1, 1)


@pytest.mark.parametrize("magnitude_bits", [1, 3, 7, 15])
def test_block_floating_point_has_a_sign_bit(magnitude_bits):
    x = np.random.default_rng(8).normal(size=(50, 16))
    tensor = formats.parse(f"bfp({magnitude_bits},16)").quantize(x)
    step = 2.0 ** (np.floor(np.log2(np.abs(x).max(axis=-1, keepdims=True))) - (magnitude_bits - 1))
    magnitudes = np.minimum(np.rint(np.abs(x) / step), 2**magnitude_bits - 1).astype(int)
    assert np.array_equal(tensor.codes, magnitudes | np.signbit(x) << magnitude_bits)
    assert np.array_equal(tensor.dequantize(), np.copysign(magnitudes * step, x))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.int8, bool, np.int64, np.longdouble])
def test_types_of_input(dtype):
    x = (np.random.default_rng(8).normal(size=(3, 64)) * 20).astype(dtype)
    for name in ("mxfp6_e2m3", "hif4", "int8_channel"):
        ours = formats.parse(name).quantize(x)
        assert np.array_equal(ours.codes, formats.parse(name).quantize(x.astype(np.float64)).codes)


def test_scale_values_multiply_all_levels():
    tensor = formats.parse("hif4").quantize(np.random.default_rng(8).normal(size=(128, 3)), axis=0)
    for group, column in np.ndindex(32, 3):
        parts = [codes[group * len(codes) // 32, column] for codes in tensor.levels]
        scale = 2.0 ** ((int(parts[0]) >> 2) - 48) * (1 + (parts[0] & 3) / 4) * 2.0 ** (int(parts[1]) + int(parts[2]))
        assert tensor.scale_values[group, column] == scale
        rows = slice(4 * group, 4 * group + 4)
        elements = tensor.format.element.decode(tensor.codes[rows, column])
        assert tensor.dequantize()[rows, column].tolist() == (elements * scale).tolist()


def test_scale_values_are_exact_in_float64():
    tensor = formats.parse("nvfp4").quantize(np.random.default_rng(8).normal(size=(2, 16)))
    outer = Fraction(float(tensor.coarse[0].view(np.float32).item()))
    inner = [Fraction(float(value)) for value in tensor.format.scale.decode(tensor.scales).ravel()]
    assert [Fraction(value) for value in tensor.scale_values.ravel()] == [outer * value for value in inner]


@pytest.mark.parametrize(("call", "message"), [
    (lambda: formats.parse("mxfp4").quantize(np.ones((3, 0))), r"shape \(3, 0\), which has no values"),
    (lambda: formats.parse("mxfp4").quantize(1.0), r"axis -1 does not exist in a tensor of shape \(\)"),
    (lambda: formats.parse("mxfp4").quantize([1j] * 32), "values of type complex128; they must be real"),
    (lambda: formats.parse("mxfp4").quantize(["1"] * 32), "values of type <U1; they must be real"),
    (lambda: formats.parse("mxfp4").quantize(np.ones(32), rule="flor"), "scale rule 'flor'; did you mean floor"),
    (lambda: formats.parse("nvfp4").quantize(np.ones(32), rule="floor"), "unknown scale rule 'floor'"),
    (lambda: formats.parse("mxfp4").quantize(np.ones(32), clip="mse"), "unknown clip 'mse'"),
    (lambda: formats.parse("mxfp4").quantize(np.ones(32), rounding="odd"), "unknown rounding 'odd'"),
    (lambda: formats.parse("int4_g8").quantize(np.ones(32), rounding="up"),
     "rounding of int4_g8 is always 'nearest-even', it cannot be 'up'"),
    (lambda: formats.parse("mxfp5"), "unknown format 'mxfp5'; did you mean mxfp4"),
    (lambda: formats.parse("bfp(0,16)"), r"bfp\(0,16\) has 0 bits of magnitude"),
    (lambda: formats.parse("bfp(4,0)"), r"bfp\(4,0\) has blocks of 0"),
    (lambda: formats.parse("dfp17"), "dfp17 has 17 bits"),
    (lambda: formats.parse("e4m3_g32"), "must be integers, not e4m3"),
    (lambda: formats.add_block(formats.BlockFormat("nvfp4", formats.scalar("e2m1"), (
        formats.Level(formats.scalar("e8m0"), 4),), "shared-exponent")), "nvfp4 is taken"),
    (lambda: formats.BlockFormat("mine", formats.scalar("e2m1"), (
        formats.Level(formats.scalar("e4m3"), 64), formats.Level(formats.scalar("e4m3"), 16)), "two-level"),
     r"mine: scales for every \[64, 16\] do not go with recipe 'two-level'"),
    (lambda: formats.BlockFormat("mine", formats.scalar("e2m1"), (), "integers"), r"mine: scales for every \[\] do"),
    (lambda: formats.BlockFormat("mine", formats.scalar("e2m1"), (), "shared"), "unknown recipe 'shared'"),
    (lambda: formats.BlockFormat("mine", formats.scalar("e2m1"), tuple(
        formats.Level(formats.scalar("e8m0"), extent) for extent in (32, 12)), "one-bit-exponents"),
     "mine: a block of 32 does not divide into blocks of 12"),
    (lambda: formats.BlockFormat("mine", formats.scalar("e2m1"), (formats.Level(formats.scalar("fp16"), 4),),
                                 "shared-exponent").quantize(np.ones(4)), "exponent bits only, with a NaN; fp16"),
    (lambda: nvfp4_tensor(),
     "nvfp4 needs 2 levels of scales, not 1"),
    (lambda: nvfp4_tensor(np.zeros((2, 1), np.uint32)), r"shape \(2, 1\) do not fit nvfp4, which needs \(1, 1\)"),
])  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize(("name", "value"), [("int4_g2", 3e7), ("int8_channel", 1e300)])
def test_scales_beyond_their_format_are_refused(name, value):
    with pytest.raises(
        InputError, match=f"cannot quantize {re.escape(f'{value:g}')} to {name}: its scale would be more"
    ):
        formats.parse(name).quantize(np.array([[1.0, -value]]))
