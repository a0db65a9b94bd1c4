"""What the bench tries on a processing element: every pair of operands, and random segments full of extremes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from dyad.models.formats import BlockFormat, parse, scalar
from dyad.models.pe import PE, Mode

from .coverage import element
from .model import Cases, Model


def plain(pe: PE, mode: Mode, a: NDArray, q: NDArray, length: NDArray) -> Cases:
    """Return cases whose totals are the sums of products, as integers if they can be, and whose values are the same.

    a, q : operands without headers, which are those of scales of 1.
    """
    flags: NDArray[np.int64] = np.zeros(len(a), np.int64)
    columns: NDArray[np.int64] = np.zeros((len(a), q.shape[2]), np.int64)
    if mode.header:
        row, column = cast(Any, pe).unit_headers(mode)
        a = np.concatenate([np.broadcast_to(row, (*a.shape[:2], len(row))), a], axis=2)
        q = np.concatenate([np.broadcast_to(column[:, None], (len(q), len(column), q.shape[2])), q], axis=1)
    return Cases(
        a,
        q,
        length,
        zero_point=columns,
        scale=columns + (int(scalar(mode.scale).encode(1.0)) if mode.scale else 0),
        scaled=flags + pe.floating(mode, grouped=False),
        base=np.zeros((len(a), a.shape[1], q.shape[2]), np.uint32),
        relu=flags,
        multiplier=columns + 1,
        shift=columns,
        format=flags + (pe.outputs.index("fp32") if has_floats(pe) else 0),
    )


def has_floats(pe: PE) -> bool:
    """Return whether totals and results can be floats at all."""
    return "fp32" in pe.outputs


def few_pairs(mode: Mode) -> bool:
    """Return whether every pair of operands can be tried: those of at most 16 bits together, 12 if they are serial."""
    return element(mode.activation).bits + element(mode.weight).bits <= (16 if mode.phases == 1 else 12)


def every_pair(pe: PE, mode: Mode, m: int, n: int) -> Cases:
    """Return every activation with every weight, alone in each lane in turn."""
    a, q = (np.arange(low, high + 1) for low, high in (_range(mode.activation), _range(mode.weight)))
    a, q = _rows(a, m), _rows(q[_finite(q, mode.weight)], n)
    lanes = pe.lanes * mode.packing
    lane, i, j = (index.ravel() for index in np.indices((lanes, len(a), len(q))))
    alone = np.eye(lanes, dtype=np.int64)[lane]
    length = np.full(len(lane), lanes)
    return plain(pe, mode, a[i, :, None] * alone[:, None, :], alone[:, :, None] * q[j, None, :], length)


def random_segments(
    pe: PE, mode: Mode, m: int, n: int, segments: int, steps: int, random: np.random.Generator
) -> Cases:
    """Return random segments of up to `steps` steps, with extremes of every operand and totals that cancel."""
    lanes = pe.lanes * mode.packing
    longest = min(steps * lanes, pe.longest(mode))
    depth = -(-longest // lanes) * lanes
    length = _numbers(random, (segments,), (1, longest))
    inside = np.arange(depth) < length[:, None]
    idle = random.random(segments) < 0.1  # without products the extremes of the totals reach the output stage
    a = _operands(random, (segments, m, depth), mode.activation)
    a *= _finite(a, mode.activation) | (random.random(a.shape) < 1 / 64)
    q = _operands(random, (segments, depth, n), mode.weight)
    q *= _finite(q, mode.weight)
    product = plain(pe, mode, a * (inside & ~idle[:, None])[:, None], q * inside[:, :, None], length)
    if mode.header:
        product = _any_headers(pe, mode, product, random)
    columns, results = (segments, n), (segments, m, n)
    cases = replace(
        product,
        zero_point=_numbers(random, columns, _range(mode.weight)),
        scale=_numbers(random, columns, (0, 0xFF if mode.scale and scalar(mode.scale).bits == 8 else 0x7BFF)),
        scaled=random.integers(int(pe.floating(mode, grouped=False)), 1 + has_floats(pe), segments),
        relu=random.integers(0, 2, segments),
        multiplier=_numbers(random, columns, (0, 65535)),
        shift=_numbers(random, columns, (0, 63)),
        format=random.integers(0, len(pe.outputs), segments),
    )
    integers = _numbers(random, results, (-(2**31), 2**31 - 1)) >> random.integers(0, 32, results)
    floats = random.choice([0, 1 << 31], results) + np.where(
        random.integers(0, 2, results),
        _numbers(random, results, (1, 0x7F7FFFFF)),  # every finite magnitude, subnormal ones too
        _numbers(random, results, (100 << 23, 170 << 23)),  # those near the products
    )
    if isinstance(parse(mode.weight), BlockFormat):
        special = random.choice([0x7F800000, 0xFF800000, 0x7FC00000], results)
        floats = np.where(random.integers(0, 32, results), floats, special)
    floats = np.where(random.integers(0, 3, results), floats, _cancelling(pe, mode, cases, random))
    cases = replace(cases, base=np.where(cases.scaled[:, None, None], floats, integers).astype(np.uint32))
    return replace(
        cases, shift=np.where(random.integers(0, 2, columns), cases.shift, _fitting(pe, mode, cases, random))
    )


def bounds(pe: PE, mode: Mode, m: int, n: int) -> Cases:
    """Return two segments that take the sums as far up and down as they go, before and after the zero point."""
    longest, lanes = pe.longest(mode), pe.lanes * mode.packing
    inside = np.arange(-(-longest // lanes) * lanes) < longest
    if isinstance(parse(mode.weight), BlockFormat):
        zero_point, (weight, *_), ends = 0, _ends(mode.weight), _ends(mode.activation)
    else:
        zero_point, weight = sorted(_range(mode.weight), key=abs)
        _, last = ends = _range(mode.activation)
        ends = ends if scalar(mode.activation).encoding == "integer" else (last, last >> 1)
    a = np.array(ends)[:, None, None] * np.broadcast_to(inside, (2, m, len(inside)))
    q = weight * np.broadcast_to(inside[:, None], (2, len(inside), n))
    cases = plain(pe, mode, a, q, np.array([longest, longest]))
    return replace(cases, zero_point=np.full((2, n), zero_point))


def _cancelling(pe: PE, mode: Mode, cases: Cases, random: np.random.Generator) -> NDArray[np.int64]:
    """Return the bits of the scaled sums with the other sign, some of them a few units in the last place away."""
    product = Model(pe, mode).totals(replace(cases, scaled=np.ones_like(cases.scaled))).astype(np.int64)
    opposite = product ^ 1 << 31
    near = opposite + random.integers(-2, 3, product.shape)
    near = np.where(_is_finite(opposite) & ~_is_finite(near), opposite, near)
    return np.where(product & 0x7FFFFFFF, near, 0)


def _is_finite(bits: NDArray[np.int64]) -> NDArray[np.bool_]:
    return bits >> 23 & 0xFF != 0xFF


def _fitting(pe: PE, mode: Mode, cases: Cases, random: np.random.Generator) -> NDArray[np.int64]:
    """Return shifts with which the first row's results are around the bounds of int8."""
    totals = Model(pe, mode).totals(cases)[:, 0]
    values = np.where(cases.scaled[:, None], totals.view(np.float32), totals.view(np.int32)) * cases.multiplier
    values[~np.isfinite(values)] = 0
    return np.clip(np.frexp(values)[1] - random.integers(-1, 10, values.shape), 0, 63)


def _rows(numbers: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return all numbers in rows of `size`, the last filled up from the start."""
    return np.resize(numbers, (-(-len(numbers) // size), size))


def _range(name: str) -> tuple[int, int]:
    """Return the least and the greatest number of a format: of an integer, or else of a code."""
    format = parse(name)
    if isinstance(format, BlockFormat) or format.encoding != "integer":
        return 0, (1 << element(name).bits) - 1
    return int(format.minimum), int(format.maximum)


def _ends(name: str) -> tuple[int, int]:
    """Return the codes of the least and the greatest number of a format."""
    values = element(name).values()
    values[~np.isfinite(values)] = 0
    return int(values.argmin()), int(values.argmax())


def _finite(numbers: NDArray[np.int64], name: str) -> NDArray[np.bool_]:
    """Return which operands are finite numbers; of scalar formats all count as such."""
    if not isinstance(parse(name), BlockFormat):
        return np.ones(numbers.shape, bool)
    return np.isfinite(element(name).values()[numbers])


def _any_headers(pe: PE, mode: Mode, cases: Cases, random: np.random.Generator) -> Cases:
    """Return cases with headers of random bits."""
    a, q = cases.a.copy(), cases.q.copy()
    row, column = (words * pe.lanes * mode.packing for words in (mode.row_header, mode.column_header))
    a[:, :, :row] = random.integers(0, 1 << pe.activation_bits // mode.packing, a[:, :, :row].shape)
    q[:, :column] = random.integers(0, 1 << pe.plane_bits // mode.packing, q[:, :column].shape)
    return replace(cases, a=a, q=q)


def _operands(random: np.random.Generator, shape: tuple[int, ...], name: str) -> NDArray[np.int64]:
    """Return numbers of a format; every fourth is near zero or, in a format that is no integer, near the extremes.

    Shifting a random code to the right makes all lengths of its leading zeros equally likely: the binades of subnormal
    numbers and the regimes of posits. Its complement does the same for leading ones.
    """
    low, high = _range(name)
    numbers = _numbers(random, shape, (low, high), _ends(name) if isinstance(parse(name), BlockFormat) else None)
    bits = (high >> 1).bit_length()
    if low < 0:
        return np.where(random.random(shape) < 1 / 4, numbers >> random.integers(0, bits + 1, shape), numbers)
    magnitude = (numbers & high >> 1) >> random.integers(0, bits + 1, shape)
    magnitude = np.where(random.integers(0, 2, shape), magnitude, (high >> 1) - magnitude)
    return np.where(random.random(shape) < 1 / 4, magnitude | numbers & high + 1 >> 1, numbers)


def _numbers(
    random: np.random.Generator, shape: tuple[int, ...], limits: tuple[int, int], ends: tuple[int, int] | None = None
) -> NDArray[np.int64]:
    """Return numbers from `limits[0]` to `limits[1]`; every third entry along the first axis holds extremes alone.

    ends : the extremes beside 0, if they are not the limits.
    """
    low, high = limits
    corners = random.choice([*(ends or limits), max(low, 0)], shape)
    extreme = random.random(shape[0]) < 1 / 3
    return np.where(extreme.reshape(-1, *[1] * (len(shape) - 1)), corners, random.integers(low, high + 1, shape))
