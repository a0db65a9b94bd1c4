"""What the bench tries, and what the golden arithmetic says about it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from dyad.models.formats import scalar
from dyad.models.pe import PE, Mode
from dyad.models.pe.output import rescale


@dataclass(frozen=True)
class Cases:
    """S segments of one mode with everything that follows them; shorter segments are filled up with zeros to K.

    a : activations [S, m, K]. q : weights [S, K, n]; both with their headers. length : products of each segment [S].
    zero_point [S, n]; scale : codes [S, n]; scaled [S]; base : bits of the totals before, [S, m, n].
    relu [S]; multiplier, shift [S, n]; format : codes [S].
    """

    a: NDArray[np.int64]
    q: NDArray[np.int64]
    length: NDArray[np.int64]
    zero_point: NDArray[np.int64]
    scale: NDArray[np.int64]
    scaled: NDArray[np.int64]
    base: NDArray[np.uint32]
    relu: NDArray[np.int64]
    multiplier: NDArray[np.int64]
    shift: NDArray[np.int64]
    format: NDArray[np.int64]

    def take(self, segments: NDArray[np.intp]) -> Cases:
        """Return some of the segments."""
        return Cases(*(getattr(self, field.name)[segments] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.a)


class Model:
    """The golden arithmetic of all segments."""

    def __init__(self, pe: PE, mode: Mode) -> None:
        self.pe, self.mode = pe, mode

    def results(self, cases: Cases) -> dict[str, NDArray[np.uint32]]:
        """Return the bits of totals and values, each [S, m, n]."""
        totals = self.totals(cases)
        return {"total": totals, "value": self.values(cases, totals)}

    def totals(self, cases: Cases) -> NDArray[np.uint32]:
        """Return the bits of the totals, [S, m, n]."""
        totals = np.empty_like(cases.base)
        for scaled, dtype in ((False, np.int32), (True, np.float32)):
            part = cases.scaled == scaled
            a, q = cases.a[part], cases.q[part]
            scales = scalar(self.mode.scale or "fp16").decode(cases.scale[part]) if scaled else None
            base = cases.base[part].view(dtype)
            sums, activation_sums = self.pe.dot(a, q, self.mode), self.pe.prepare(a, self.mode)
            totals[part] = self.pe.finish(sums, activation_sums, cases.zero_point[part], scales, base, self.mode).view(
                np.uint32
            )
        return totals

    def values(self, cases: Cases, totals: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Return the bits of the results that the output stage makes of `totals`, [S, m, n]."""
        values = np.empty_like(totals)
        for scaled, relu, format in np.ndindex(2, 2, len(self.pe.outputs)):
            part = (cases.scaled == scaled) & (cases.relu == relu) & (cases.format == format)
            accumulator = totals[part].view(np.float32 if scaled else np.int32)
            multiplier, shift = cases.multiplier[part, None, :], cases.shift[part, None, :]
            with np.errstate(invalid="ignore"):
                result = rescale(accumulator, multiplier, shift, bool(relu), self.pe.outputs[format])
            values[part] = result.view(f"u{result.itemsize}")
        return values
