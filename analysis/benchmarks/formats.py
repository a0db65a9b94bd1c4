"""How fast values become codes and back, beside other libraries: ``python -m dyad.analysis.benchmarks.formats``.

The others are what Python can call: ml_dtypes converts in C, gfloat with NumPy, softposit one value at a time. All run
on one core, one after the other in each round, so that a busy machine slows all of them; the table has medians.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...models import formats
from ...models.errors import InputError
from ...models.formats import Format, interchange
from . import blocks, matmul

FORMATS = ("e2m1", "e4m3", "e5m2", "int8", "posit(8,0)", "hif8", "fp16", "bf16", "posit(16,1)", "posit(32,2)")
SIZE = 1 << 22
ROUNDS = 9
Work = Callable[[NDArray], object]


class Speed(NamedTuple):
    """Million values each second by one library, None if it does not know the format."""

    format: str
    direction: str
    dyad: float
    ml_dtypes: float | None
    gfloat: float | None
    softposit: float | None

    @property
    def ratio(self) -> float | None:
        """Times as fast as the fastest of the others."""
        others = [speed for speed in self[3:] if isinstance(speed, float)]
        return self.dyad / max(others) if others else None


def measure(size: int = SIZE, rounds: int = ROUNDS) -> list[Speed]:
    """Return the speeds of encoding float32 and of decoding to float32 (float64 where values need it), by format."""
    x = np.random.default_rng(0).standard_normal(size, dtype=np.float32)
    speeds = []
    for name in FORMATS:
        format = formats.scalar(name)
        codes = format.encode(x)
        narrow = np.float32 if format.bits <= 16 else np.float64
        dyad: dict[str, Work] = {
            "encode": format.encode,
            "decode": partial(format.decode, dtype=narrow),
        }
        others = {"ml_dtypes": _ml_dtypes(format), "gfloat": _gfloat(name), "softposit": _softposit(name)}
        for direction, values in (("encode", x), ("decode", codes)):
            works = {"dyad": dyad[direction]}
            works |= {library: works[direction] for library, works in others.items() if direction in works}
            measured = _race(works, values, rounds)
            speeds.append(Speed(name, direction, measured["dyad"], *(measured.get(library) for library in others)))
    return speeds


def _race(works: Mapping[str, Work], values: NDArray, rounds: int) -> dict[str, float]:
    """Return million values each second; slow libraries are given a part of the values."""
    times: dict[str, list[float]] = {library: [] for library in works}
    parts = {}
    for library, work in works.items():
        few = values[:4096]
        work(few)  # makes tables
        start = time.perf_counter()
        work(few)
        parts[library] = values[: max(4096, min(values.size, int(4096 * 0.1 / (time.perf_counter() - start))))]
    for _ in range(rounds):
        for library, work in works.items():
            start = time.perf_counter()
            work(parts[library])
            times[library].append(time.perf_counter() - start)
    return {library: parts[library].size / median(times[library]) / 1e6 for library in works}


def _ml_dtypes(format: Format) -> dict[str, Work]:
    try:
        dtype = interchange.dtype(format)
    except InputError:
        return {}
    if dtype.kind == "i":
        return {}  # NumPy's cast to integers neither rounds nor saturates
    return {
        "encode": lambda x: x.astype(dtype),
        "decode": lambda codes: interchange.to_array(format, codes).astype(np.float32),
    }


def _gfloat(name: str) -> dict[str, Work]:
    try:
        import gfloat
        import gfloat.formats
    except ImportError:
        return {}
    known = {"fp16": "binary16", "bf16": "bfloat16", "int8": ""}
    info: Any = getattr(gfloat.formats, f"format_info_{known.get(name, f'ocp_{name}')}", None)
    if info is None:
        return {}
    return {
        "encode": lambda x: gfloat.encode_ndarray(info, gfloat.round_ndarray(info, x, sat=True)),
        "decode": lambda codes: gfloat.decode_ndarray(info, codes),
    }


def _softposit(name: str) -> dict[str, Work]:
    suffix = {"posit(8,0)": "P8", "posit(16,1)": "P16"}.get(name)
    try:
        import softposit
    except ImportError:
        return {}
    if suffix is None:
        return {}
    encode = getattr(softposit, f"convertDoubleTo{suffix}")
    make = {"P8": softposit.posit8, "P16": softposit.posit16}[suffix]
    return {
        "encode": lambda x: [encode(value) for value in x.tolist()],
        "decode": lambda codes: [float(make(bits=code)) for code in codes.tolist()],
    }


def main() -> None:
    """Print the tables of scalar formats, of block formats and of exact products."""
    print(f"{'million values/s':20} {'dyad':>8} {'ml_dtypes':>10} {'gfloat':>8} {'softposit':>10} {'dyad/best':>10}")
    for speed in measure():
        cells = (
            f"{'-' if cell is None else f'{cell:.3g}':>{width}}"
            for cell, width in zip(speed[3:], (10, 8, 10), strict=True)
        )
        ratio = "-" if speed.ratio is None else f"{speed.ratio:.3g}"
        print(f"{speed.direction + ' ' + speed.format:20} {speed.dyad:8.0f} {' '.join(cells)} {ratio:>10}")
    for other in (blocks, matmul):
        print()
        other.main()


if __name__ == "__main__":
    main()
