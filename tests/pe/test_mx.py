# amaranth: UnusedElaboratable=no
"""Cells for blocks: their arithmetic is that of matrix products; what is not finite; what is refused; planted bugs."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from amaranth.hdl import C

from dyad.hw import verify as verification
from dyad.hw.bench import Geometry
from dyad.models import pe as processing_elements
from dyad.models.errors import InputError
from dyad.models.formats import parse, scalar
from dyad.models.formats.reference import decode, encode
from dyad.models.pe import Bfp, Mx
from dyad.models.pe.block_operands import element_range
from dyad.models.pe.mx import FORMATS
from dyad.models.products.matmul import matmul
from dyad.rtl.pe import block_operands, blocks

ALL = [name for formats in FORMATS for name in formats.split("+")] + ["bfp(7,16)", "bfp(3,32)", "bfp(10,16)"]


def cell(format, **parameters):
    return (Bfp if format.startswith("bfp") else Mx)(format=format, **parameters)


def operands(name, m, k, n, random):
    """Values over many binades, as tensors in blocks."""
    form = parse(name)
    x, y = (random.normal(size=shape) * np.exp(3 * random.normal(size=shape)) for shape in ((m, k), (k, n)))
    return form.quantize(x, axis=1), form.quantize(y, axis=0)


def outer(tensor):
    first = tensor.format.levels[0]
    return first.scale.decode(tensor.levels[0]) if first.extent == "tensor" else 1.0


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("lanes", "k"), [(1, 192), (4, 192), (4, 100), (4, 5)])
def test_accumulate_is_the_product_with_sums_of_blocks_in_float32(name, lanes, k):
    random = np.random.default_rng(1)
    pe = cell(name, lanes=lanes)
    a, w = operands(name, 5, k, 7, random)
    result = pe.accumulate(a, w)
    assert result.dtype == np.float32
    assert np.array_equal(result.astype(np.float64) * outer(a) * outer(w), matmul(a, w, accumulate="fp32"))
    assert np.array_equal(pe.accumulate(pe.activation_operands(a, pe.modes[0]), w), result)


@pytest.mark.parametrize("name", ALL)
def test_one_block_in_fractions(name):
    """Random codes in place of those of a quantizer: exact sums, rounded once."""
    random = np.random.default_rng(2)
    block = parse(name).block
    a, w = operands(name, 3, block, 3, random)
    finite = np.flatnonzero(np.isfinite(a.format.element.values()))
    for tensor in (a, w):
        tensor.codes[:] = random.choice(finite, tensor.shape)
    result = cell(name).accumulate(a, w).view(np.uint32)
    for row, column in np.ndindex(3, 3):
        exact = Fraction(0)
        for k in range(block):
            product = Fraction(1)
            for tensor, at in ((a, (row, k)), (w, (k, column))):
                product *= Fraction(decode(tensor.format.element, int(tensor.codes[at])))
                for level, codes in zip(tensor.format.levels, tensor.levels, strict=True):
                    if isinstance(level.extent, int):
                        place = tuple(k // level.extent if axis == tensor.axis else at[axis] for axis in (0, 1))
                        product *= Fraction(decode(level.scale, int(codes[place])))
            exact += product
        assert result[row, column] == encode(scalar("fp32"), exact)


def test_the_accumulator_is_as_narrow_as_a_block_allows():
    for name, bits in {"mxfp8_e4m3": 42, "mxfp8_e5m2": 70, "mxint8": 21, "nvfp4": 13, "hif4": 17}.items():
        pe = Mx(format=name)
        reach = element_range(pe.formats[0])
        largest = (reach * reach * pe.group).largest
        assert pe.accumulator_bits == bits and 2 ** (bits - 2) <= largest < 2 ** (bits - 1)


@pytest.mark.parametrize(("name", "code"), [("mxfp8_e4m3", 0x7F), ("mxfp8_e5m2", 0x7C), ("mxfp8_e5m2", 0xFD)])
def test_an_activation_that_is_not_finite_makes_its_totals_nan(name, code):
    a, w = operands(name, 2, 64, 3, np.random.default_rng(3))
    a.codes[1, 40] = code
    result = Mx(format=name).accumulate(a, w)
    assert np.isfinite(result[0]).all()
    assert (result[1].view(np.uint32) == 0x7FC00000).all()
    w.codes[5, 1] = code
    with pytest.raises(InputError, match=f"a weight is the code {code:#x} of {name[6:]}, not finite"):
        Mx(format=name).accumulate(a, w)


@pytest.mark.parametrize("name", ["mxint8", "nvfp4", "hif4"])
@pytest.mark.parametrize("side", [0, 1])
def test_a_block_whose_scale_is_nan_makes_its_totals_nan(name, side):
    x, y = np.ones((2, 128)), np.ones((128, 3))
    (x, y)[side][1, 70 if side == 0 else 1] = np.nan
    form = parse(name)
    result = Mx(format=name).accumulate(form.quantize(x, axis=1), form.quantize(y, axis=0))
    expected = np.zeros((2, 3), bool)
    expected[(1, slice(None)) if side == 0 else (slice(None), 1)] = True
    assert np.array_equal(np.isnan(result), expected)


def test_a_sum_beyond_float32_is_infinite():
    form = parse("mxint8")
    a, w = form.quantize(np.full((1, 64), 2.0**100), axis=1), form.quantize(np.full((64, 1), 2.0**100), axis=0)
    w.codes[32:] = -w.codes[32:] & 0xFF
    assert Mx(format="mxint8").accumulate(a, w).view(np.uint32) == 0x7FC00000  # inf - inf
    w.codes[32:] = 0
    assert Mx(format="mxint8").accumulate(a, w) == np.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Mx(lanes=0), "mx: lanes is 0, it must be at least 1"),
        (lambda: Mx(format="mxfp9"), "unknown format 'mxfp9'; did you mean mxfp4"),
        (lambda: Mx(format="int4_g32"), "mx takes blocks such as mxfp8_e4m3, not int4_g32"),
        (lambda: Mx(format="dfp16"), "mx takes blocks such as mxfp8_e4m3, not dfp16"),
        (lambda: Bfp(format="nvfp4"), r"bfp takes blocks such as bfp\(7,16\), not nvfp4"),
        (lambda: Mx(format="mxfp4+mxfp4"), r"mx: mxfp4\+mxfp4 names a format twice"),
        (
            lambda: Mx(format="mxfp4+nvfp4").mode("mxfp4", "nvfp4"),
            "mx multiplies mxfp4 by mxfp4, nvfp4 by nvfp4, not mxfp4 by",
        ),
        (lambda: processing_elements.get("mx", formats="mxfp4"), "unknown parameter of mx 'formats'; did you mean f"),
    ],
)
def test_descriptions_refuse(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_accumulate_refuses_what_does_not_fit():
    a, w = operands("mxfp4", 2, 64, 3, np.random.default_rng(4))
    pe = Mx(format="mxfp4")
    other = parse("mxint8").quantize(np.ones((2, 64)), axis=1)
    for call, message in (
        (lambda: pe.accumulate(other, w), "activations are mxint8, not mxfp4"),
        (lambda: pe.accumulate(w, w), r"activations of shape \(64, 3\) have their blocks along axis 0, not 1"),
        (
            lambda: pe.accumulate(a.codes, w),
            r"activations of shape \(2, 64\) do not multiply weights of shape \(64, 3\)",
        ),
        (lambda: pe.accumulate(a, w, np.zeros(2)), r"a bias of shape \(2,\) does not suit 3 columns"),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_the_machine_knows_the_latency_of_the_circuit():
    assert blocks.Finish.latency == Mx.finish_latency == Bfp.finish_latency


def planted(monkeypatch, format):
    monkeypatch.setattr(Mx, "variants", lambda: ({"format": format},))
    return verification.verify("mx", seed=6, lanes=1, geometry=Geometry(2, 4, 1))


@pytest.mark.slow
def test_a_carry_in_the_wrong_place_is_caught(monkeypatch):
    right = blocks.Finish
    monkeypatch.setattr(blocks, "Finish", lambda pe, edges: right(pe, [0, edges[1] + 1, *edges[2:]]))
    assert any(result["failures"] for result in planted(monkeypatch, "mxfp8_e4m3"))


@pytest.mark.slow
def test_a_wrong_exponent_is_caught(monkeypatch):
    right = block_operands.number

    def wrong(code, element):
        negative, significand, exponent = right(code, element)
        return negative, significand, exponent ^ (exponent == 14)

    monkeypatch.setattr(block_operands, "number", wrong)
    results = planted(monkeypatch, "mxfp8_e4m3")
    exhaustive = next(result for result in results if result["exhaustive"])
    assert 0 < exhaustive["failures"] < 254 * 256 / 4
    assert all(result["failures"] for result in results)


@pytest.mark.slow
def test_a_scale_that_comes_late_is_caught(monkeypatch):
    right = blocks.header

    def late(m, step, words, bits):
        return blocks.delay(m, right(m, step, words, bits), int(bits > 0))

    monkeypatch.setattr(blocks, "header", late)
    results = planted(monkeypatch, "nvint4")
    assert any(result["failures"] for result in results)


@pytest.mark.slow
def test_a_weight_that_is_one_off_is_caught(monkeypatch):
    right = block_operands.recoded
    monkeypatch.setattr(block_operands, "recoded", lambda integer: right(integer ^ (integer == C(-8, 8))))
    results = planted(monkeypatch, "mxint8")
    exhaustive = next(result for result in results if result["exhaustive"])
    assert exhaustive["failures"] == 255  # every activation but 0, with one weight
