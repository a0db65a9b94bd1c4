"""Functional coverage: what of each format and of each change between modes a run has tried.

The bins of a format are its zero, its NaN, its infinities and, for each sign, every binade that has values: for a posit
these are all regimes with all exponents, for a float all exponents and the subnormal binades, for an integer all
lengths.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dyad.models.formats import BlockFormat, Format, parse
from dyad.models.pe import PE, Mode

from .model import Cases


def element(name: str) -> Format:
    """Return the format of the elements of a scalar or block format."""
    format = parse(name)
    return format.element if isinstance(format, BlockFormat) else format


def bins(name: str, codes: NDArray[np.integer]) -> set[str]:
    """Return the bins of a format that some of its codes, or integers, fall into."""
    format = element(name)
    values = format.decode(np.unique(codes.astype(np.int64) & (1 << format.bits) - 1).astype(format.dtype))
    finite = values[np.isfinite(values) & (values != 0)]
    found = {f"{'-' if value < 0 else '+'}2^{exponent}" for value, exponent in _binades(finite)}
    special = {"0": values == 0, "NaN": np.isnan(values), "inf": np.isinf(values)}
    return found | {what for what, where in special.items() if where.any()}


def _binades(values: NDArray[np.float64]) -> Iterable[tuple[int, int]]:
    return zip(np.sign(values).astype(int).tolist(), (np.frexp(values)[1] - 1).tolist(), strict=True)


@cache
def all_bins(name: str) -> frozenset[str]:
    """Return all bins of a format."""
    return frozenset(bins(name, np.arange(1 << element(name).bits)))


def uncovered(pe: PE, mode: Mode, batches: Sequence[Cases], switches: set[tuple[int, int]]) -> list[str]:
    """Return what a run has not tried: bins of both operands, and switches to this mode.

    batches : the segments in this mode. switches : pairs of the indices of modes that followed one another.
    """
    row, column = (words * pe.lanes * mode.packing for words in (mode.row_header, mode.column_header))
    lacking = [f"weight {each}" for each in _missing(mode.weight, [cases.q[:, column:] for cases in batches])]
    if isinstance(parse(mode.weight), BlockFormat) or element(mode.weight).encoding == "integer":
        lacking = [each for each in lacking if not each.endswith(("NaN", "inf"))]  # these weights are finite
    lacking += [f"activation {each}" for each in _missing(mode.activation, [cases.a[..., row:] for cases in batches])]
    index = pe.modes.index(mode)
    lacking += [f"after {other.name}" for before, other in enumerate(pe.modes) if (before, index) not in switches]
    return lacking


def _missing(name: str, codes: Sequence[NDArray[np.integer]]) -> list[str]:
    """Return the bins of a format that none of the codes fall into."""
    return sorted(all_bins(name) - set[str]().union(*(bins(name, each) for each in codes)))
