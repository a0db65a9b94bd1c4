"""Matrix products with random values, as programs that are ready to run: what `crosscheck` checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models import formats
from ..models.accelerator import Accelerator, Memory
from ..models.errors import InputError
from ..models.formats import scalar
from ..models.network import Layer, gemm
from ..models.pe import PE, Mode, get
from ..models.pe.output import dyadic, rescale
from ..models.program.blocking import Blocking
from ..models.program.program import Program, compile_layers
from ..models.program.reduction import LARGEST_BIAS
from ..models.qtensor import QTensor
from ..models.quantized import QuantizedLayer
from ..models.unfold import unfold


@dataclass(frozen=True, eq=False)
class Case:
    """Layers with random values, ready to run one after another.

    Parameters
    ----------
    program : their program; each reads images of its own.
    memory : uint8, the memory before the run.
    golden : for each layer [M, N], what the processing element's arithmetic makes of it, without any program.
    """

    program: Program
    memory: NDArray[np.uint8]
    golden: tuple[NDArray, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that the program computes."""
        return tuple(placement.blocking.layer for placement in self.program.placements)


def random_values(layer: Layer, pe: PE, rng: np.random.Generator) -> tuple[QuantizedLayer, NDArray[np.integer]]:
    """Return `layer` with random weights and parameters, and random images for it.

    All codes of numbers are equally likely, extremes included; the output scale is such that some results saturate.
    """
    kind = formats.parse(layer.weight)
    if isinstance(kind, formats.BlockFormat):
        mode = pe.mode(layer.weight, layer.activation)
        weights = kind.quantize(_spread(rng, (layer.k, layer.n)), axis=0)
        activations = pe.activation_operands(kind.quantize(_spread(rng, (layer.m, layer.k)), axis=1), mode)
        rows = activations
    else:
        weights = _random_weights(layer, rng)
        element, pixels = scalar(layer.activation), (layer.batch, layer.height, layer.width, layer.channels)
        activations = element.numbers(_random_codes(element, pixels, rng))
        rows = unfold(activations, layer)
    total = pe.accumulate(rows, weights, activation=layer.activation)
    typical = max(float(np.abs(total.astype(np.float64)).mean()), 1.0)
    bias: Any = np.clip(rng.normal(0, typical, layer.n), -(2.0**28), 2.0**28 - 1).astype(total.dtype)
    multiplier, shift = dyadic(np.minimum(rng.uniform(0.2, 2, layer.n) * 80 / typical, 60000))
    return QuantizedLayer(layer, weights, bias, multiplier, shift), activations


def _random_weights(layer: Layer, rng: np.random.Generator) -> QTensor:
    kind = formats.grouped(layer.weight, layer.group, layer.zero_point)
    element = kind.element
    shape = (1 if layer.group is None else -(-layer.k // layer.group), layer.n)
    zero_points = None
    if layer.zero_point:
        zero_points = rng.integers(int(element.minimum), int(element.maximum) + 1, shape).astype(np.int32)
    scales = kind.scale.encode(rng.uniform(0, 2, shape))
    return QTensor(_random_codes(element, (layer.k, layer.n), rng), kind, scales, zero_points, axis=0)


def _spread(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return normal numbers of several magnitudes, so that blocks have different scales."""
    return rng.normal(size=shape) * 2.0 ** rng.integers(-6, 7, shape)


def _random_codes(element: formats.Format, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray:
    codes = rng.integers(1 << element.bits, size=shape).astype(np.uint8 if element.bits <= 8 else np.uint16)
    return np.where(np.isfinite(element.decode(codes)), codes, codes.dtype.type(0))


def prepare(
    layers: Layer | Sequence[Layer], accelerator: Accelerator, seed: int, blocking: Blocking | None = None
) -> Case:
    """Return the case of one or more layers on `accelerator` with values drawn from `seed`, cut as `blocking` says."""
    layers = [layers] if isinstance(layers, Layer) else list(layers)
    rng = np.random.default_rng(seed)
    values = [random_values(layer, accelerator.pe, rng) for layer in layers]
    blockings = None if blocking is None else [blocking]
    program = compile_layers(layers, accelerator, blockings=blockings, chained=False)
    memory = program.memory([quantized for quantized, _ in values])
    golden = []
    for index, (layer, (quantized, images)) in enumerate(zip(layers, values, strict=True)):
        program.write_input(memory, images, index)
        in_blocks = isinstance(formats.parse(layer.activation), formats.BlockFormat)
        activations = images if in_blocks else unfold(images, layer)
        total = accelerator.pe.accumulate(activations, quantized.weights, quantized.bias, activation=layer.activation)
        golden.append(rescale(total, quantized.multiplier, quantized.shift, layer.relu, layer.output))
    return Case(program, memory, tuple(golden))


def with_pe(accelerator: Accelerator, name: str, **parameters: Any) -> Accelerator:
    """Return an accelerator with another processing element, of as few lanes as it can have.

    Where a row takes more bytes in a step than the memory moves in a cycle, that moves more; where a word of weights is
    narrower than that, the tile has more columns.

    Raises
    ------
    InputError : if the name or a parameter is unknown, or the processing element does not fit.
    """
    tile, memory = accelerator.tile, accelerator.memory
    error: InputError | None = None
    for columns, lanes in product((1, 2, 4, 8, 16), (1, 2, 4, 8, 16)):
        try:
            element = get(name, lanes=lanes, **parameters)
            return replace(
                accelerator,
                name=f"{accelerator.name}-{name}",
                pe=element,
                tile=replace(tile, n=columns * tile.n),
                memory=replace(
                    memory, bytes_per_cycle=max(memory.bytes_per_cycle, lanes * element.activation_bits // 8)
                ),
            )
        except InputError as reason:
            error = error or reason
    raise error or InputError(f"{name} does not fit {accelerator.name}")


def random_cases(accelerator: Accelerator, count: int, seed: int, largest: int = 200) -> Iterator[Case]:
    """Yield `count` random programs with random memory timing.

    Most are one matrix product, every third two or three; each is in the next of the processing element's modes. M, K
    and N are from 1 to `largest`, drawn evenly on a logarithmic scale, so that many are small and ragged; K is less
    where that many products could leave an int32. Half of the programs have half the accelerator's memory bandwidth
    where its tile allows that: those run on a second circuit.
    """
    rng = np.random.default_rng(seed)
    turns = cycle(accelerator.pe.modes)
    for index in range(count):
        products = int(rng.integers(2, 4)) if index % 3 == 2 else 1
        modes = islice(turns, products)
        layers = [_random_layer(f"random {index}.{i}", accelerator, mode, rng, largest) for i, mode in enumerate(modes)]
        width = accelerator.memory.bytes_per_cycle
        if index % 2 and width // 2 >= accelerator.row_word:
            width //= 2
        memory = Memory(width, latency=int(rng.integers(0, 64)), burst_overhead=int(rng.integers(0, 6)))
        yield prepare(layers, replace(accelerator, memory=memory), seed=int(rng.integers(2**32)))


def _random_layer(name: str, accelerator: Accelerator, mode: Mode, rng: np.random.Generator, largest: int) -> Layer:
    m, k, n = (int(size) for size in np.exp(rng.uniform(0, np.log(largest + 1), 3)))
    step = accelerator.k * mode.packing
    longest = max(accelerator.pe.longest(mode) // step, 1) * step
    group, zero_point = None, False
    in_blocks = isinstance(formats.parse(mode.weight), formats.BlockFormat)
    if not in_blocks and scalar(mode.weight).encoding == "integer":
        floats = "fp32" in accelerator.pe.outputs  # which groups take
        group = [None, None, min(8 * step, longest), min(32 * step, longest)][rng.integers(4)] if floats else None
        zero_point = bool(rng.integers(2))
        if not accelerator.pe.floating(mode, grouped=group is not None):
            k = min(k, (2**31 - 1 - LARGEST_BIAS) // accelerator.pe.largest_product(mode.weight, zero_point))
    return gemm(
        name,
        m,
        k,
        n,
        weight=mode.weight,
        activation=mode.activation,
        group=group,
        zero_point=zero_point,
        relu=bool(rng.integers(2)),
        output=str(rng.choice(accelerator.pe.outputs)),
    )
