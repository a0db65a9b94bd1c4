"""How fast tensors become block formats, beside other libraries: ``python -m dyad.analysis.benchmarks.blocks``.

The other libraries have no quantizer of whole tensors in Python: ml_dtypes is given NumPy to find the scales with, as
its users do, and gfloat quantizes one block after another. All run in one thread and in the same process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...models import formats

FORMATS = ("mxfp4", "mxfp6_e3m2", "mxfp8_e4m3", "mxint8", "nvfp4", "nvint4", "hif4", "bfp(7,16)", "int4_g128")
SHAPE = (4096, 1024)
REPEATS = 9


class Speed(NamedTuple):
    """Million elements each second: of quantization along the last axis and the first, and back to values."""

    name: str
    last: float
    first: float
    back: float


def measure(shape: tuple[int, int] = SHAPE, repeats: int = REPEATS) -> tuple[list[Speed], dict[str, float]]:
    """Return the speed of each of `FORMATS` on normal float32, and what other libraries reach for mxfp4."""
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)

    def speed(work: Callable[[], object], elements: int = x.size) -> float:
        times = []
        work()  # makes tables
        for _ in range(repeats):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return elements / median(times) / 1e6

    ours = []
    for name in FORMATS:
        format = formats.parse(name)
        assert isinstance(format, formats.BlockFormat)
        last, first = (speed(partial(format.quantize, x, axis)) for axis in (-1, 0))
        ours.append(Speed(name, last, first, speed(format.quantize(x).dequantize)))
    few = x[:4, :256].astype(np.float64).reshape(-1, 32)
    others = {
        "ml_dtypes and NumPy": speed(partial(with_ml_dtypes, x)),
        "gfloat": speed(partial(with_gfloat, few), few.size),
    }
    return ours, others


def with_ml_dtypes(x: NDArray[np.float32]) -> tuple[NDArray, NDArray]:
    """Return elements and scales of mxfp4 as a user of ml_dtypes would find them."""
    import ml_dtypes

    blocks = x.reshape(-1, 32)
    scales = np.exp2(np.floor(np.log2(np.abs(blocks).max(axis=-1, keepdims=True))) - 2)
    return np.clip(blocks / scales, -6, 6).astype(ml_dtypes.float4_e2m1fn), scales.astype(ml_dtypes.float8_e8m0fnu)


def with_gfloat(blocks: NDArray[np.float64]) -> list[NDArray]:
    """Return the values of blocks of mxfp4."""
    import gfloat
    from gfloat.formats import format_info_mxfp4_e2m1 as described

    return [gfloat.quantize_block(described, block, gfloat.compute_scale_amax) for block in blocks]


def main() -> None:
    """Print the table."""
    ours, others = measure()
    print(f"{'million elements/s':20} {'last axis':>10} {'first axis':>10} {'to values':>10}")
    for row in ours:
        print(f"{row.name:20} {row.last:10.0f} {row.first:10.0f} {row.back:10.0f}")
    for name, speed in others.items():
        print(f"mxfp4 by {name}: {speed:.3g}, dyad is {ours[0].last / speed:.3g} times as fast")


if __name__ == "__main__":
    main()
