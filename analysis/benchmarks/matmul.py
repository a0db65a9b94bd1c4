"""How fast matrices of quantized numbers are multiplied: ``python -m dyad.analysis.benchmarks.matmul [SIZE]``.

Each product, decoding and rounding included, is measured in turn with the raw BLAS call that it rides on. So is what
other libraries do from Python: the ``@`` of ml_dtypes, which NumPy does in float32, rounding sums, and the quires of
SoftPosit, one product at a time. All run in one thread. NumPy's BLAS chooses its kernel by the processor; the table
names it, and the environment variable OPENBLAS_CORETYPE overrules a bad choice.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...models import formats
from ...models.products.matmul import matmul
from ...models.products.operand import Source

threadpools = import_module("threadpoolctl")  # comes with scikit-learn

CASES: tuple[tuple[str, str, str, str | None], ...] = (
    ("int8", "int8", "exact", None),
    ("e2m1", "e2m1", "exact", None),
    ("posit(4,1)", "posit(4,1)", "exact", None),
    ("posit(8,0)", "posit(8,0)", "exact", None),
    ("posit(8,0)", "posit(8,0)", "exact", "posit(8,0)"),
    ("e4m3", "e4m3", "exact", None),
    ("e5m2", "e5m2", "exact", "fp16"),
    ("int4", "fp16", "exact", "fp16"),
    ("posit(16,1)", "posit(16,1)", "exact", "posit(16,1)"),
    ("posit(16,1)", "posit(16,1)", "exact", None),
    ("mxfp4", "mxfp4", "exact", None),
    ("mxfp4", "mxfp4", "fp32", None),
    ("int8_tensor", "int4_g128", "fp32", None),
)
"""Formats of both operands, accumulator and output."""


class Speed(NamedTuple):
    """One product beside one BLAS call: path, giga-products a second of both, and the median of their ratios."""

    path: str
    rate: float
    blas: float
    ratio: float


def measure(left: str, right: str, accumulate: str, output: str | None, size: int = 1024, repeats: int = 9) -> Speed:
    """Return the speed of a square product of normal numbers, in one thread."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal((2, size, size))
    a, w = _quantized(left, x, 1), _quantized(right, y, 0)
    product = partial(matmul, a, w, accumulate, output=output)
    with threadpools.threadpool_limits(1):
        _, plan = product(explain=True)
        dtype = np.float32 if plan.path == "float32" else np.float64
        raw = partial(np.matmul, x.astype(dtype), y.astype(dtype))
        times = [(_seconds(product), _seconds(raw)) for _ in range(repeats)]
    ours, blas = (size**3 / median(column) / 1e9 for column in zip(*times, strict=True))
    return Speed(plan.path, ours, blas, median(theirs / own for own, theirs in times))


def _quantized(name: str, x: NDArray[np.float64], axis: int) -> Source:
    format = formats.parse(name)
    return format.quantize(x, axis) if isinstance(format, formats.BlockFormat) else (format, format.encode(x))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def others() -> dict[str, float]:
    """Return giga-products a second of the other libraries that are installed."""
    rates = {}
    if find_spec("ml_dtypes"):
        types, size = import_module("ml_dtypes"), 1024
        for name in ("float4_e2m1fn", "float8_e4m3fn", "bfloat16"):
            a = np.random.default_rng(0).standard_normal((size, size)).astype(getattr(types, name))
            product = partial(np.matmul, a, a)
            with threadpools.threadpool_limits(1):
                rates[f"ml_dtypes {name}"] = size**3 / median(_seconds(product) for _ in range(5)) / 1e9
    if find_spec("softposit"):
        softposit, count = import_module("softposit"), 4096
        for bits in (8, 16):
            one, quire = getattr(softposit, f"posit{bits}")(1), getattr(softposit, f"quire{bits}")()

            def sums(one: object = one, add: Callable[[object, object], object] = quire.qma) -> None:
                for _ in range(count):
                    add(one, one)

            rates[f"softposit quire{bits}"] = count / _seconds(sums) / 1e9
    return rates


def main() -> None:
    """Print the table."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    kernels = {f"{info['internal_api']} {info.get('architecture', '')}" for info in threadpools.threadpool_info()}
    print(f"{size} x {size} x {size}, one thread, {', '.join(sorted(kernels))}\n")
    print(f"{'operands':26} {'sum':6} {'output':12} {'path':17} {'GMAC/s':>8} {'BLAS':>8} {'ratio':>7}")
    for left, right, accumulate, output in CASES:
        speed = measure(left, right, accumulate, output, size)
        print(
            f"{f'{left} x {right}':26} {accumulate:6} {output or 'float64':12} {speed.path:17} {speed.rate:8.2f} "
            f"{speed.blas:8.2f} {speed.ratio:7.1%}"
        )
    print()
    for name, rate in others().items():
        print(f"{name:63} {rate:8.2g}")


if __name__ == "__main__":
    main()
