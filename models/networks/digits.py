"""The handwritten digits of scikit-learn: 1797 images of 8 x 8 pixels in 17 grey levels, from UCI's test set."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SPLIT_SEED = 2024
TEST_IMAGES = 360


class Digits(NamedTuple):
    """Images [count, 8, 8, 1], float32 in 0..1, and labels [count], int64 in 0..9."""

    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]


@cache
def digits() -> Digits:
    """Return the images in one fixed split: a permutation by `SPLIT_SEED` whose first `TEST_IMAGES` are held out."""
    # scikit-learn takes most of a second to import, and nothing else of a network needs it.
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(SPLIT_SEED).permutation(len(data.target))
    images = (data.images / 16).astype(np.float32)[order, :, :, None]
    labels = data.target.astype(np.int64)[order]
    return Digits(images[TEST_IMAGES:], labels[TEST_IMAGES:], images[:TEST_IMAGES], labels[:TEST_IMAGES])
