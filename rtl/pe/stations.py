"""What every processing element's circuit offers: three stations, and the bundle that steps them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from amaranth.lib import data, wiring

STEP = data.StructLayout({"valid": 1, "first": 1, "last": 1, "signed": 1, "plane": 3})
"""What the operands at the cells are, in the cycle in which they are there.

valid : there are operands; in a cycle without, nothing changes and the other fields do not matter.
first : they start a segment, and the accumulators start from 0.
last : they end it; after the clock edge the results show its sums, until the edge of the next `last`.
signed : this plane of the weights is in two's complement.
plane : which plane of the weights this is, counted from the least significant. The planes of a step follow one
    another, with the same activations; `first` goes with the first of them, `last` with the last.
"""


class Stations(NamedTuple):
    """Constructors of the circuits of a processing element, without arguments.

    Prepare : one for each row of a tile. Ports `step`, `activations`, `sum`.
    Dot : one for each cell. Ports `step`, `activations`, `weights`, `result`.
    Finish : one for each column and drained row. Ports `accumulator`, `activation_sum`, `zero_point`, `scale`,
        `scaled`, `base`, `total`; `latency` cycles from its inputs to its output.
    """

    Prepare: Callable[[], wiring.Component]
    Dot: Callable[[], wiring.Component]
    Finish: Callable[[], wiring.Component]
