from __future__ import annotations

import itertools

import numpy as np
import pytest

from dyad.analysis.cases import prepare, with_pe
from dyad.models import accelerator, formats
from dyad.models import pe as processing_elements
from dyad.models.errors import InputError
from dyad.models.network import gemm
from dyad.models.pe import Ternary
from dyad.models.pe.trits import pack, unpack
from dyad.models.program import interpret
from dyad.models.program.isa import Load
from dyad.models.program.lower import WEIGHT
from dyad.models.qtensor import QTensor

TINY = accelerator.load("tiny")
PACKED = Ternary(packed=True)


def test_every_five_digits_have_a_byte_of_their_own():
    digits = np.array(list(itertools.product((-1, 0, 1), repeat=5)))
    codes = pack(digits)
    assert len(set(codes.tolist())) == 243
    assert np.array_equal(unpack(codes), digits)
    assert pack(np.zeros(5, np.int64)) == 0


def test_a_byte_holds_a_lane_of_five_steps():
    (mode,) = PACKED.modes
    numbers = np.zeros((24, 3), np.int64)
    numbers[[1, 5, 9, 13, 17], 2] = digits = np.array([1, -1, 0, 1, -1])
    planes = PACKED.planes(numbers, mode)
    assert planes.shape == (1, 8, 3)
    assert planes[0, 1, 2] == pack(digits)
    assert np.count_nonzero(planes) == 1


def weights(element, codes):
    form = formats.grouped(element, None)
    return QTensor(np.array(codes, np.uint8), form, form.scale.encode(np.ones((1, 1))), None, 0)


def test_packed_weights_of_int2_are_taken_but_for_minus_two():
    a = np.array([[3, 5, 7, 9]], np.int8)
    assert PACKED.accumulate(a, weights("int2", [[1], [3], [0], [1]])).item() == 3 - 5 + 9
    with pytest.raises(InputError, match="ternary: a weight is -2; those that are packed must be -1, 0 or 1"):
        PACKED.accumulate(a, weights("int2", [[1], [2], [0], [1]]))
    with pytest.raises(InputError, match="ternary: a weight is -2"):
        PACKED.planes(np.array([[0], [-2]]), PACKED.modes[0])
    assert Ternary().accumulate(a, weights("int2", [[1], [2], [0], [1]])).item() == 3 - 10 + 9


def test_other_weights_are_refused():
    with pytest.raises(InputError, match="ternary multiplies ternary by int8, not uint1 by int8"):
        processing_elements.get("ternary", packed=True).mode("uint1", "int8")


def loaded(packed, group, k=640):
    machine = with_pe(TINY, "ternary", packed=packed)
    case = prepare(gemm("product", 4, k, 16, weight="ternary", group=group), machine, seed=1)
    memory = case.memory.copy()
    interpret.run(case.program, memory)
    assert case.program.read_output(memory).tobytes() == case.golden[0].tobytes()
    (placement,) = case.program.placements
    loads = [code for code in case.program.instructions if isinstance(code, Load) and code.buffer == WEIGHT]
    return sum(code.length for code in loads), placement.blocking


@pytest.mark.parametrize("group", [None, 32])
def test_packed_weights_take_four_fifths_of_the_bytes(group):
    """The words of a block run on from one group to the next; only a block's last one may be partly empty."""
    (plain, _), (packed, blocking) = (loaded(packed, group) for packed in (False, True))
    rows, columns, depths = blocking.counts
    assert rows == 1
    room = columns * depths * blocking.column_tiles * blocking.accelerator.weight_word
    assert 0.8 * plain <= packed <= 0.8 * plain + room
    assert packed < 0.9 * plain


@pytest.mark.parametrize("k", [1, 4, 19, 20, 21, 333])
def test_words_that_are_not_full_agree(k):
    assert loaded(True, None, k)[0] > 0
