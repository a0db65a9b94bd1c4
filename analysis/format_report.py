"""What there is to say about number formats: their rows in a table, their precision, and how they compare on data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..models import formats
from ..models.errors import InputError
from ..models.formats import BlockFormat, Format
from ..models.formats.encodings import ENCODINGS

SPECIALS = {"none": "", "ieee": "infinity, NaN", "fn": "NaN", "fnuz": "NaN", "uz": "infinity, NaN", "nar": "NaR"}
SHAPE = (256, 256)
"""Shape of the tensors that formats are compared on: long enough for every block, of which some are unlike the rest."""


class Row(NamedTuple):
    """One format in a table. What is said of a block format's values is said of its elements, scales left aside."""

    name: str
    bits: float
    minimum: float
    maximum: float
    smallest: float
    significant_bits: int
    special: str
    scales: str


def row(name: str) -> Row:
    """Return what a table says of the format called `name`; `bits` is per value, scales of blocks included."""
    format = formats.parse(name)
    element = format.element if isinstance(format, BlockFormat) else format
    _, precision = significant_bits(element)
    return Row(
        name,
        round(bits_per_value(format), 3) if isinstance(format, BlockFormat) else format.bits,
        element.minimum,
        element.maximum,
        smallest(element),
        round(float(precision.max())),
        SPECIALS[element.specials],
        scales(format) if isinstance(format, BlockFormat) else "",
    )


def scales(format: BlockFormat) -> str:
    """Return the levels of scales in words, coarse to fine."""
    levels = [f"{level.scale.name} per {level.extent}" for level in format.levels]
    return ", ".join([*levels, "zero points"] if format.zero_point else levels)


def bits_per_value(format: BlockFormat) -> float:
    """Return the bits that a value takes with its share of scales and zero points; whole channels count as nothing."""
    shares = [level.scale.bits / level.extent for level in format.levels if isinstance(level.extent, int)]
    zero_point = format.element.bits / format.group if format.zero_point and format.group else 0.0
    return format.element.bits + sum(shares) + zero_point


def smallest(format: Format) -> float:
    """Return the least positive value."""
    ranks = ENCODINGS[format.encoding].value(format, np.arange(2))
    return float(ranks[0] or ranks[1])


def significant_bits(format: Format) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the binades of a format, by exponent, and their precision: 1 + log2 of the values in [2^e, 2^(e+1)).

    Less than 1 is a step that leaves out whole binades. A binade within which the format ends is taken to go on.
    """
    low, high = (int(np.frexp(value)[1]) for value in (smallest(format), np.nextafter(format.maximum, 0.0)))
    exponent = np.arange(low - 1, max(low, high))
    start, middle = (ENCODINGS[format.encoding].split(format, np.ldexp(x, exponent)) for x in (1.0, 1.5))
    values = 2 * (middle[0] - start[0] + (middle[1] - start[1]))
    return exponent, 1 + np.log2(np.where(values > 0, values, 1.0))


def markdown(names: Iterable[str]) -> str:
    """Return the table of formats for the README, integers of unusual widths left out."""
    lines = [
        "| " + " | ".join(field.replace("_", " ") for field in Row._fields) + " |",
        "|---" * len(Row._fields) + "|",
    ]
    for name in names:
        if not re.fullmatch(r"u?int(?!4$|8$)\d+", name):
            cells = (f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in row(name))
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


class Comparison(NamedTuple):
    """A format on a distribution: signal to noise in dB, and the greatest error in units of the standard deviation."""

    name: str
    data: str
    sqnr_db: float
    max_error: float


def samples(seed: int = 0) -> Mapping[str, NDArray[np.float64]]:
    """Return tensors of variance 1: Gaussian, Laplace, and, with a heavy tail, Student's t of 3 degrees of freedom."""
    random = np.random.default_rng(seed)
    draws = {
        "gaussian": random.standard_normal(SHAPE),
        "laplace": random.laplace(size=SHAPE),
        "student-t": random.standard_t(3, SHAPE),
    }
    return {name: x / np.sqrt(np.mean(np.square(x))) for name, x in draws.items()}


def compare(names: Iterable[str], seed: int = 0) -> list[Comparison]:
    """Return the errors of formats on `samples`.

    A block format quantizes rows, as it does by default. A scalar format gets one power of two as the scale of the
    whole tensor, the one with the least square error.

    Raises
    ------
    InputError : if a format does not exist, or is a scalar one without negative values.
    """
    parsed = [(name, formats.parse(name)) for name in names]
    for name, format in parsed:
        if isinstance(format, Format) and not format.signed:
            raise InputError(f"{name} has no negative values; the data of the comparison have")
    results = []
    for data, x in samples(seed).items():
        for name, format in parsed:
            if isinstance(format, BlockFormat):
                errors = [format.quantize(x).dequantize() - x]
            else:
                errors = [_round_trip(format, x, scale) - x for scale in _scales(format, x)]
            error = min(errors, key=lambda error: float(np.square(error).sum()))
            power = float(np.mean(np.square(error)))
            results.append(
                Comparison(name, data, -10 * np.log10(power) if power else np.inf, float(np.abs(error).max()))
            )
    return results


def _round_trip(format: Format, x: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    return format.decode(format.encode(x / scale)) * scale


def _scales(format: Format, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return powers of two that may suit: those that put the greatest value near the limits, or most near 1."""
    widest = np.ceil(np.log2(np.abs(x).max() / format.maximum)) if format.maximum else 0.0
    return np.exp2(np.concatenate([widest + np.arange(-6.0, 2.0), np.arange(-3.0, 4.0)]))
