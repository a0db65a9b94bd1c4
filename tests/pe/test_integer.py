# amaranth: UnusedElaboratable=no
"""What holds for every processing element of integers; `test_mixpe` looks at their common arithmetic in detail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dyad.models import formats
from dyad.models import pe as processing_elements
from dyad.models.errors import InputError
from dyad.models.formats import scalar
from dyad.models.pe.fixed import fixed_point
from dyad.models.pe.integer import WIDEST, IntegerPE
from dyad.models.qtensor import QTensor
from dyad.rtl.pe import integer

VARIANTS = [
    processing_elements.get(name, **parameters)
    for name in processing_elements.names()
    for parameters in processing_elements.variants(name)
]
ALL = [pe for pe in VARIANTS if isinstance(pe, IntegerPE)]
MODES = [(pe, mode) for pe in ALL for mode in pe.modes]


@pytest.mark.parametrize(("pe", "mode"), MODES, ids=lambda value: value.name)
def test_planes_put_the_weights_together_again(pe, mode):
    element = scalar(mode.weight)
    q = np.arange(2) if mode.weight == "binary" else np.arange(int(element.minimum), int(element.maximum) + 1)
    weights = np.stack([np.repeat(q, pe.lanes), np.resize(q, len(q) * pe.lanes)], axis=-1)
    planes = pe.planes(weights, mode)
    words = -(-len(q) // mode.steps)
    assert planes.shape == (mode.planes, words * pe.lanes, 2)
    assert planes.max() < 1 << pe.plane_bits
    assert np.array_equal(pe.weights(planes, mode)[: len(weights)], weights)


@pytest.mark.parametrize(
    ("pe", "mode"), [each for each in MODES if each[0].name != "lut"], ids=lambda value: value.name
)
def test_the_longest_sum_just_fits(pe, mode):
    """A cell sums a (2^shift q + offset), which is largest at an end of both ranges."""
    element = scalar(mode.weight)
    ends = [2**pe.shift * int(end) + pe.offset(mode) for end in (element.minimum, element.maximum)]
    extreme = fixed_point(pe.activation).largest * max(map(abs, ends))
    assert pe.longest(mode) * extreme < 2 ** (pe.accumulator_bits - 1) <= (pe.longest(mode) + 1) * extreme


@pytest.mark.parametrize("pe", [each for each in ALL if each.accumulator_bits < WIDEST], ids=lambda pe: pe.name)
def test_the_accumulator_is_as_narrow_as_the_group_allows(pe):
    assert all(pe.longest(mode) >= pe.group for mode in pe.modes)
    widest = min(pe.modes, key=pe.longest)
    if widest.interval == 1:
        with pytest.raises(InputError, match=f"not a group of {pe.group}"):
            replace(pe, accumulator_bits=pe.accumulator_bits - 1)
    else:
        assert replace(pe, accumulator_bits=pe.accumulator_bits - 1).longest(widest) < pe.group


@pytest.mark.parametrize("pe", ALL, ids=lambda pe: pe.name)
def test_the_machine_knows_the_latency_of_the_circuit(pe):
    assert integer.Finish.latency == pe.finish_latency


@pytest.mark.parametrize(
    ("name", "taken", "refused"),
    [
        ("mixpe", "int1..int8 or uint1..uint8", "int9"),
        ("int_mac", "int1..int8 or uint1..uint8", "fp16"),
        ("ternary", "int1..int2", "uint1"),
        ("lut", "int1..int4 or uint1..uint4", "int5"),
        ("bitserial", "int1..int8 or uint1..uint8", "int9"),
    ],
)
def test_other_weights_are_refused(name, taken, refused):
    with pytest.raises(InputError) as error:
        processing_elements.get(name).mode(refused, "int8")
    assert str(error.value) == f"{name} multiplies {taken} by int8, not {refused} by int8"


@pytest.mark.parametrize("name", ["int8f6", "binary", "e2m1"])
def test_elements_that_are_no_plain_integers_are_refused(name):
    with pytest.raises(InputError, match=f"mixpe multiplies int1..int8 or uint1..uint8 by int8, not {name} by int8"):
        processing_elements.get("mixpe").mode(name, "int8")


@pytest.mark.parametrize("name", ["mxint8", "nvint4", "dfp8"])
def test_other_blocks_of_integers_are_refused(name):
    w = formats.parse(name).quantize(np.ones((64, 4)), axis=0)
    with pytest.raises(InputError, match=f"mixpe multiplies int1..int8 or uint1..uint8 by int8, not {name} by int8"):
        processing_elements.get("mixpe").accumulate(np.zeros((1, 64), np.int8), w)


def weights(scale=1.0, group=None):
    form = formats.grouped("int4", group)
    scales = form.scale.encode(np.array([[scale]])) if np.isfinite(scale) else np.array([[0x7E00]])
    return QTensor(np.full((4, 1), 7, np.uint8), form, scales, None, 0)


@pytest.mark.parametrize(
    ("a", "w", "options", "message"),
    [
        (np.full((1, 4), -128, np.int8), weights(), {"bias": np.array([-(2**31)], np.int32)}, "does not fit int32"),
        (
            np.zeros((1, 4), np.int8),
            weights(),
            {"bias": np.zeros(3)},
            r"a bias of shape \(3,\) does not suit",
        ),
        (np.zeros((1, 4)), weights(), {}, "activations are float64, they must be integers"),
        (np.zeros((1, 4), np.int8), weights(-1.0, group=4), {}, "a scale of the weights is -1.0, it must be finite"),
        (np.zeros((1, 4), np.int8), weights(np.nan, group=4), {}, "a scale of the weights is nan, it must be finite"),
    ],
)
def test_what_the_circuit_could_not_do_is_refused(a, w, options, message):
    with pytest.raises(InputError, match=message):
        processing_elements.get("mixpe").accumulate(a, w, **options)
