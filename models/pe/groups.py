"""Whole matrix products by segments, for processing elements of integers: what `IntegerPE.accumulate` does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..formats import scalar
from ..qtensor import QTensor

if TYPE_CHECKING:
    from .integer import IntegerPE


def accumulate(
    pe: IntegerPE, a: NDArray[np.integer], w: QTensor, bias: NDArray | None, chunk: int | None, activation: str
) -> NDArray[np.int32] | NDArray[np.float32]:
    """Return bias + A W as circuits with `pe` accumulate it; see `IntegerPE.accumulate`."""
    _check(pe, a, w)
    (k, n), group = w.shape, w.format.group
    mode = pe.mode(w.format.element.name, activation)
    bias = np.zeros(n) if bias is None else bias
    if bias.shape != (n,):
        raise InputError(f"{pe.name}: a bias of shape {bias.shape} does not suit {n} columns of weights")
    if chunk is not None and chunk < 1:
        raise InputError(f"{pe.name}: a chunk is {chunk} products, it must be at least 1")
    floating = pe.floating(mode, group is not None)
    if not floating:
        pe.check_int32(w.format.element.name, k, w.zero_points is not None, _magnitude(bias))
        length = k
    else:
        whole = group or max(pe.longest(mode) // pe.lanes, 1) * pe.lanes
        length = min(chunk or whole, whole)
        if min(length, k) > pe.longest(mode):
            raise InputError(
                f"{pe.name}: a chunk of {min(length, k)} is longer than the {pe.longest(mode)} products of "
                f"{mode.name} that {pe.accumulator_bits} bits hold"
            )
    scales = w.scale_values if group else np.ones((1, n)) if floating else None
    dtype = np.float32 if floating else np.int32
    # Adding to zeros turns a bias of -0 into +0.
    total: NDArray = np.zeros((len(a), n), dtype) + bias.astype(dtype)
    q = w.numbers()
    for index, part in _segments(k, group, length):
        total = pe.finish(
            pe.dot(a[:, part], q[part], mode),
            pe.prepare(a[:, part], mode),
            None if w.zero_points is None else w.zero_points[index],
            None if scales is None else scales[index],
            total,
            mode,
        )
    return total


def _check(pe: IntegerPE, a: NDArray[np.integer], w: QTensor) -> None:
    if w.axis != 0 or len(w.shape) != 2:
        raise InputError(
            f"{pe.name}: weights of shape {w.shape} quantized along axis {w.axis}, not [K, N] along axis 0"
        )
    if w.format.recipe != "integers":
        raise InputError(f"{pe.name} takes weights of integers in groups or channels, not {w.format.name}")
    if a.ndim != 2 or a.shape[1] != w.shape[0]:
        raise InputError(f"{pe.name}: activations of shape {a.shape} do not multiply weights of shape {w.shape}")
    if not np.issubdtype(a.dtype, np.integer):
        raise InputError(f"{pe.name}: activations are {a.dtype}, they must be integers")
    scales = w.scale_values
    if not (np.isfinite(scales) & (scales >= 0)).all():
        wrong = scales[~(np.isfinite(scales) & (scales >= 0))][0]
        raise InputError(f"{pe.name}: a scale of the weights is {wrong}, it must be finite and not negative")
    element = scalar(pe.activation)
    if element.encoding == "integer":
        low, high = int(element.minimum), int(element.maximum)
        for extreme in (a.min(initial=0), a.max(initial=0)):
            if not low <= extreme <= high:
                raise InputError(f"{pe.name}: activation {extreme} is outside {element.name}, {low}..{high}")
    elif not (finite := np.isfinite(element.decode(a))).all():
        raise InputError(f"{pe.name}: an activation is the code {a[~finite].flat[0]:#x} of {element.name}, not finite")


def _magnitude(bias: NDArray) -> int:
    """Return the greatest magnitude; -2^31 has none in int32."""
    return max(abs(int(bias.min(initial=0))), abs(int(bias.max(initial=0))))


def _segments(k: int, group: int | None, length: int) -> Iterator[tuple[int, slice]]:
    """Yield the index of the group and the range of k of each sum that is finished on its own."""
    for index, start in enumerate(range(0, k, group or k)):
        stop = min(start + (group or k), k)
        for first in range(start, stop, length):
            yield index, slice(first, min(first + length, stop))
