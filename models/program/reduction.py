"""How the products of a result are summed: in segments, each corrected and scaled once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ..accelerator import Accelerator
from ..errors import InputError
from ..formats import BlockFormat, parse
from ..network import Layer
from ..pe import Mode

LARGEST_BIAS = 2**30
"""Magnitude that a bias may have in an int32 accumulator; the other half is for the products."""


def ceil_div(a: int, b: int) -> int:
    """Return a / b, rounded up."""
    return -(-a // b)


def round_up(a: int, b: int) -> int:
    """Return the least multiple of b that is not less than a."""
    return ceil_div(a, b) * b


@dataclass(frozen=True)
class Reduction:
    """How the K products of a result are summed: in segments, each corrected and scaled once.

    A segment is a quantization group if the weights are grouped, otherwise as many products as the cell's accumulator
    surely holds. Cells take `step` products a step. Totals are float32 if `scaled`, else int32.
    """

    mode: Mode
    step: int
    segment: int
    scaled: bool
    grouped: bool
    zero_point: bool

    @property
    def parameters(self) -> bool:
        """Whether segments have factors of their own: scales or zero points."""
        return self.grouped or self.zero_point


@lru_cache
def reduction(layer: Layer, accelerator: Accelerator) -> Reduction:
    """Return how `accelerator` sums the products of `layer`.

    Raises
    ------
    InputError : if the weights' format or group does not suit the processing element.
    """
    pe = accelerator.pe
    mode = pe.mode(layer.weight, layer.activation)
    if layer.output not in pe.outputs:
        raise InputError(f"layer {layer.name!r}: {pe.name} gives {', '.join(pe.outputs)}, not {layer.output}")
    k = accelerator.k * mode.packing
    if isinstance(parse(layer.weight), BlockFormat):
        return _in_blocks(layer, mode, k, pe.longest(mode))
    zero_point = layer.zero_point and bool(mode.scale)
    longest = pe.longest(mode) // k * k
    if longest == 0:
        raise InputError(
            f"layer {layer.name!r}: the {pe.accumulator_bits}-bit accumulator of {pe.name} holds {pe.longest(mode)} "
            f"products in mode {mode.name}, not the {k} of a step"
        )
    scaled = pe.floating(mode, grouped=layer.group is not None)
    if layer.group is None:
        if not scaled:
            pe.check_int32(layer.weight, layer.k, layer.zero_point, LARGEST_BIAS)
        segment = min(longest, round_up(layer.k, k))
        return Reduction(mode, k, segment, scaled, grouped=False, zero_point=zero_point)
    if layer.group % k and layer.group < layer.k:
        raise InputError(f"layer {layer.name!r}: group size {layer.group} is not a multiple of the tile's k = {k}")
    segment = min(layer.group, round_up(layer.k, k))
    if segment > longest:
        raise InputError(
            f"layer {layer.name!r}: a group of {segment} products in mode {mode.name} can overflow the "
            f"{pe.accumulator_bits}-bit accumulator of {pe.name}, which holds {longest}; use smaller groups or raise "
            "pe.accumulator_bits"
        )
    return Reduction(mode, k, round_up(segment, k), scaled, grouped=bool(mode.scale), zero_point=zero_point)


def _in_blocks(layer: Layer, mode: Mode, step: int, block: int) -> Reduction:
    """Return how the products of operands in blocks are summed, a segment being a block."""
    if not layer.is_product:
        raise InputError(f"layer {layer.name!r}: activations of {layer.activation} are for plain matrix products only")
    if block % step:
        raise InputError(f"layer {layer.name!r}: blocks of {block} are not whole steps of {step} products")
    return Reduction(mode, step, block, scaled=True, grouped=bool(mode.scale), zero_point=False)
