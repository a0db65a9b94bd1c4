"""Layers and accelerators of many shapes, which several tests run through the compiler, the machine and the circuit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dyad.models import accelerator
from dyad.models.accelerator import Accelerator, Memory, Tile
from dyad.models.network import Layer, gemm
from dyad.models.pe import MixPE

WEIGHTS = ("int3", "int4", "uint4", "int8", "uint8")
OUTPUTS = ("int8", "fp16", "fp32")


def precision(rng: np.random.Generator, k: int) -> dict:
    """Return a random precision; groups are multiples of `k`."""
    return {
        "weight": str(rng.choice(WEIGHTS)),
        "group": [None, 2 * k, 8 * k, 32 * k][rng.integers(4)],
        "zero_point": bool(rng.integers(2)),
        "relu": bool(rng.integers(2)),
        "output": str(rng.choice(OUTPUTS)),
    }


def product(rng: np.random.Generator, k: int, largest: int = 60) -> Layer:
    """Return a random matrix product."""
    return gemm("product", *(int(size) for size in rng.integers(1, largest, 3)), **precision(rng, k))


def convolution(rng: np.random.Generator, k: int) -> Layer:
    """Return a random convolution."""

    def pick(low: int, high: int) -> int:
        return int(rng.integers(low, high))

    return Layer(
        "convolution",
        channels=pick(1, 20),
        filters=pick(1, 40),
        batch=pick(1, 3),
        height=pick(3, 9),
        width=pick(3, 9),
        kernel_height=pick(1, 4),
        kernel_width=pick(1, 4),
        stride=pick(1, 3),
        padding=pick(0, 2),
        **precision(rng, k),
    )


def small(m: int, n: int, k: int, drain: int, beat: int, queue: int = 4) -> Accelerator:
    """Return an accelerator with another tile and little memory."""
    tiny = accelerator.load("tiny")
    return replace(
        tiny,
        name=f"{m}x{n}x{k}",
        pe=MixPE(lanes=k),
        tile=Tile(m, n, drain),
        memory=Memory(beat, latency=5, burst_overhead=1),
        queue=queue,
    )


ODD = small(m=8, n=2, k=4, drain=4, beat=4)
"""Unlike `tiny` in everything that a tile can be unlike in."""
