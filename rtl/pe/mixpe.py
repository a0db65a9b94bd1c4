"""MixPE as a circuit (arXiv 2411.16158): shift-and-add cells, scale and zero point after the group.

The paper adds shifted activations, one for each weight bit. Ours takes two bits at a time as a digit less 2: -2, -1, 0
or 1, which is a selection and a complement, and none of the digits depends on another. The nibble u so counts as
(u1 u0 - 2) + 4 (u3 u2 - 2) = u - 10, and the finish station takes the 10 back together with the zero point. Sign or
none then makes no difference to a cell. The arithmetic is `dyad.models.pe.mixpe`.

In the frame of `dyad.hw.synthesis.baselines`, 8 x 4 bits summed in 20, that is 2131 um2 in sky130_fd_sc_hd (Yosys 0.70
+ ABC, 4 ns), where Booth digits take 2328 and the multiplication operator 2656. Digits with their signs extended came
to 2391, and to 2365 with all carries in adders. What four lanes gain from the order of their sums is in `sums`.
"""

from __future__ import annotations

from amaranth.hdl import Mux, Value

from ...models.pe import MixPE
from . import integer
from .stations import Stations
from .sums import Term

IDLE = 0b1010
"""Both digits 0."""


def stations(pe: MixPE) -> Stations:
    """Return the constructors of the stations for a description."""
    return integer.stations(pe, integer.lanewise(pe, terms, IDLE))


def terms(a: Value, weight: Value, mode: Value) -> list[Term]:
    """Return numbers that sum to `a * (weight - 10)`, for a signed activation and 4 bits of a weight."""
    return [digit(a, weight[place], weight[place + 1], place) for place in (0, 2)]


def digit(a: Value, low: Value, high: Value, place: int) -> Term:
    """Return the activation's multiple by the digit `low + 2 * high - 2`."""
    # 0 and 1 stand for -2 and -1: the complement of twice or once the activation, plus 1.
    multiple = Mux(low, a, Mux(high, 0, a << 1))[: len(a) + 1]
    return Term(multiple ^ (~high).replicate(len(multiple)), ~high, place)
