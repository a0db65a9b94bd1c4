from __future__ import annotations

import numpy as np

from dyad.models.pe import MixPE

from .cases import plain
from .coverage import all_bins, bins, uncovered


def test_bins_are_the_binades_of_each_sign():
    assert all_bins("int4") == {"0", *(f"{sign}2^{e}" for sign in "+-" for e in (0, 1, 2)), "-2^3"}
    assert all_bins("e2m1") == {"0", *(f"{sign}2^{e}" for sign in "+-" for e in (-1, 0, 1, 2))}
    # Every regime with every exponent bit: 28 binades on either side of 1, but none between 2^26 and maxpos 2^28.
    assert len(all_bins("posit(16,1)")) == 2 + 2 * len([*range(-28, 28, 1)]) - 2 * 2 + 2
    assert {"NaN", "inf", "+2^-24", "-2^15"} < all_bins("fp16")


def test_numbers_and_codes_fall_into_the_same_bins():
    assert bins("int8", np.array([-128, 0, 5])) == bins("int8", np.array([0x80, 0, 5])) == {"-2^7", "0", "+2^2"}


def test_what_was_not_tried_is_named():
    pe = MixPE(lanes=4)
    mode, other = pe.modes[:2]
    a, q = np.arange(-128, 128).reshape(1, 1, -1), np.arange(-8, 8).reshape(1, -1, 1)
    cases = plain(pe, mode, a, q, np.array([4]))
    switches = {(index, 0) for index in range(len(pe.modes)) if index != 1}
    assert uncovered(pe, mode, [cases], switches) == [f"after {other.name}"]
    positive = plain(pe, mode, np.abs(a), q, np.array([4]))
    assert "activation -2^6" in uncovered(pe, mode, [positive], switches)
