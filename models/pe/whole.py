"""Whole matrix products, segment by segment: what `PE.accumulate` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..formats import scalar

if TYPE_CHECKING:
    from ..qtensor import QTensor
    from .description import PE


def accumulate(
    pe: PE, a: NDArray[np.integer] | QTensor, w: QTensor, bias: NDArray | None, activation: str | None
) -> NDArray[np.int32] | NDArray[np.float32]:
    """Return bias + A W as circuits with `pe` accumulate it.

    Parameters
    ----------
    a : activations [M, K]: integers, or codes of a format that is none; or quantized, which blocks have to be, unless
        they come with headers as `PE.activation_operands` gives them.
    w : weights [K, N], quantized along axis 0.
    bias : [N] in units of the accumulator; None is zero.
    activation : their format; None is that of the first mode with these weights.

    Returns
    -------
    [M, N]: int32 or float32 (`PE.floating`). Scales of columns and of tensors are left to the output stage.

    Raises
    ------
    InputError : if shapes or formats do not fit, an int32 sum could overflow or the accumulator might not hold a group.
    """
    (k, *_), n = w.shape, w.shape[-1]
    weight = w.format.operand
    alike = next((mode for mode in pe.modes if mode.weight == weight), pe.modes[0])
    mode = pe.mode(weight, activation or alike.activation)
    if len(w.shape) != 2 or w.axis != 0:
        raise InputError(
            f"{pe.name}: weights of shape {w.shape} quantized along axis {w.axis}, not [K, N] along axis 0"
        )
    numbers = a if isinstance(a, np.ndarray) else pe.activation_operands(a, mode)
    if not np.issubdtype(numbers.dtype, np.integer):
        raise InputError(f"{pe.name}: activations are {numbers.dtype}, they must be integers")
    bias = np.zeros(n) if bias is None else bias
    if bias.shape != (n,):
        raise InputError(f"{pe.name}: a bias of shape {bias.shape} does not suit {n} columns of weights")
    floating = pe.floating(mode, w.format.group is not None)
    length = pe.segment(mode, w.format.group) if floating else k
    if floating and min(length, k) > pe.longest(mode):
        raise InputError(
            f"{pe.name}: a group of {min(length, k)} is longer than the {pe.longest(mode)} products of {mode.name} "
            f"that {pe.accumulator_bits} bits hold"
        )
    segments = -(-k // length) if k else 0
    step = pe.lanes * mode.packing
    row, column = (length + words * step for words in (mode.row_header, mode.column_header))
    if numbers.ndim != 2 or numbers.shape[1] != k + segments * mode.row_header * step:
        raise InputError(f"{pe.name}: activations of shape {numbers.shape} do not multiply weights of shape {w.shape}")
    pe.check_operands(numbers, w, mode)
    if not floating:
        # -2^31 has no magnitude in int32.
        largest = max(abs(int(bias.min(initial=0))), abs(int(bias.max(initial=0))))
        pe.check_int32(weight, k, w.zero_points is not None, largest)
    q = pe.weight_operands(w, mode)
    scales = scalar(mode.scale).decode(pe.segment_scales(w, mode)) if floating and mode.scale else None
    dtype = np.float32 if floating else np.int32
    # Adding to zeros turns a bias of -0 into +0.
    total: NDArray = np.zeros((len(numbers), n), dtype) + bias.astype(dtype)
    for index in range(segments):
        left, right = numbers[:, index * row : (index + 1) * row], q[index * column : (index + 1) * column]
        total = pe.finish(
            pe.dot(left, right, mode),
            pe.prepare(left, mode),
            None if w.zero_points is None else w.zero_points[min(index, len(w.zero_points) - 1)],
            None if scales is None else scales[min(index, len(scales) - 1)],
            total,
            mode,
        )
    return total
