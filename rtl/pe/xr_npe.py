"""XR-NPE as a circuit (arXiv 2508.13049): a regrouped multiplier, aligners and one quire, with decoders at the edges.

The arithmetic is `dyad.models.pe.xr_npe`. The edges decode a word to sub-lanes of sign, significand and exponent
(`decode.Number`), in fixed fields of one operand whatever the mode. Products have four places: 0 to 3 in the modes of
four operands, 0 and 2 in those of two, 2 alone for one. A cell takes three cycles:

1. multiply: one array of 13 x 13 bits. Partial products of two different sub-lanes are held at 0, which leaves the
   products of the sub-lanes next to one another; exponents are added in four adders, two of which are one for one
   operand.
2. align: each product is shifted by its exponent; narrow ones are summed. What one operand's aligner is for the low
   four bits of its exponent is place 2's in the other modes.
3. accumulate: what stage 2 left is put at its place in the quire and added. Carries between the segments of the quire
   wait in registers, in the result too, until the finish station adds them; modes of narrow products use the first
   segment only, and the others stand still.

Where all modes have the same number of operands in a word, and more than one, cells are those of
`dyad.rtl.pe.xr_npe_narrow`.

Measured with Yosys 0.70 + ABC in sky130_fd_sc_hd, target 4 ns, registered inputs, one lane and a group of 4096:

=============================================  =====  =====
what                                             um2     ns
=============================================  =====  =====
cell                                           28052   6.75
cell with the decoders of its row and column   33734   6.95
the same with its finish station               61251   8.95
cell for posit(16,1) alone                     22140   6.10
cell for posit(8,0) alone, two products         9676   6.76
the same with decoders                         11740   6.89
cell for posit(4,1) alone, four products        9235   7.07
the same with decoders                         10279   7.07
decoders of a row                               4048   5.42
finish station (15170 for float32 addition)    30787   8.20
=============================================  =====  =====

What was tried: a 13 x 13 multiplier whose rows Yosys adds is 11 % larger and takes 8.5 ns instead of 5.7; rows
compressed as whole words instead of bits make it 14 to 17 % larger. With 11 to 44 bits between waiting carries cells
differ by 1.4 %; with a single carry, above the first segment, a cell is 1.6 % smaller and takes 11.4 ns.

Not built: a quire of its own for each sub-lane, in parts of the wide one. It would spare the sums of narrow products,
but all 126 bits of the quire would change in narrow modes, not 38.
"""

from __future__ import annotations

from functools import partial

from amaranth.hdl import C, Cat, Module, Signal, Value, signed
from amaranth.lib import data, wiring

from ...models.pe.xr_npe import XrNpe
from ..rounding import delay
from . import xr_npe_narrow
from .stations import Stations, dot_ports
from .xr_npe_finish import Finish
from .xr_npe_operands import (
    PrepareColumn,
    PrepareRow,
    column_layout,
    held,
    result_layout,
    row_layout,
    segments,
)
from .xr_npe_products import align, multiply, put, used


def stations(pe: XrNpe) -> Stations:
    """Return the constructors of the four stations for a description."""
    return Stations(
        PrepareRow=partial(PrepareRow, pe),
        PrepareColumn=partial(PrepareColumn, pe),
        Dot=partial(xr_npe_narrow.Dot if pe.separate else Dot, pe),
        Finish=partial(Finish, pe),
        result=result_layout(pe),
        sum=signed(1),
    )


class Dot(wiring.Component):
    """A cell: the products of `lanes` words each cycle, summed exactly over a segment.

    Parameters
    ----------
    pe : description of the processing element.

    Ports
    -----
    step : in, `STEP`, with its rules.
    row, column : in, `row_layout` and `column_layout`: the decoded words of this step, all 0 without `valid`.
    result : out, `result_layout`; sum of the last segment that ended, three cycles after its last operands. The finish
        station knows what it stands for.
    """

    def __init__(self, pe: XrNpe) -> None:
        self._pe = pe
        super().__init__(dot_ports(row_layout(pe), column_layout(pe), result_layout(pe)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, step = self._pe, self.step
        packings = {mode.packing for mode in pe.modes}
        wide, quad = (
            C(int(packings == {packing}), 1) if len(packings) == 1 or packing not in packings else self.column[name]
            for name, packing in (("wide", 1), ("quad", 4))
        )
        first, last = held(m, step.valid & step.first, 2), delay(m, step.valid & step.last, 2)
        words = [
            [used(m, operand.words[lane], packings) for operand in (self.row, self.column)] for lane in range(pe.lanes)
        ]
        nar = held(m, Cat(operand.nar for pair in words for operand in pair).any(), 2)
        wides, quads = [wide], [quad]
        if len(packings) > 1:
            wides += [held(m, wide, 1), held(m, wide, 2)]
            quads += [held(m, quad, 1)]
        addends, ones = [], []
        for a, b in words:
            aligned = align(m, *multiply(m, a, b, wides[0], quads[0]), wides[len(wides) // 2], quads[-1], pe)
            addends.append(put(m, *aligned[:3], wides[-1], pe))
            ones.append(aligned[3])
        _accumulate(m, pe, addends, ones, first, last, nar, wides[-1], self.result)
        return m


def _accumulate(
    m: Module,
    pe: XrNpe,
    addends: list[Value],
    ones: list[Value],
    first: Value,
    last: Value,
    nar: Value,
    wide: Value,
    result: data.View,
) -> None:
    """Add to the quire, from 0 at the first step of a segment, and show it after the last."""
    quire, shown = (Signal(result.shape(), name=name, reset_less=True) for name in ("quire", "shown"))
    totals = Signal(result.shape(), name="totals")
    parts = segments(pe)
    carried: Value | None = None
    for index, (low, high) in enumerate(parts):
        idle = first if index == 0 else first | ~wide
        width = high - low
        before = quire.quire[low:high] & (~idle).replicate(width)
        carry: Value = sum(ones) if carried is None else carried & (~idle).replicate(len(carried))
        total = Signal(width + pe.lanes.bit_length(), name=f"segment_{index}")
        m.d.comb += [
            total.eq(before + sum(addend[low:high] for addend in addends) + carry),
            totals.quire[low:high].eq(total),
        ]
        if index < len(parts) - 1:
            m.d.comb += totals.carries[index].eq(total[width:] & wide.replicate(pe.lanes.bit_length()))
            carried = quire.carries[index]
    m.d.comb += totals.nar.eq((quire.nar & ~first) | nar)
    m.d.sync += quire.eq(totals)
    with m.If(last):
        m.d.sync += shown.eq(totals)
    m.d.comb += result.eq(shown)
