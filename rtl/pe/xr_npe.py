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

Measured with Yosys 0.70 + ABC in sky130_fd_sc_hd, target 4 ns, registered inputs, one lane and a group of 4096:

=============================================  =====  =====
what                                             um2     ns
=============================================  =====  =====
cell                                           29233   6.97
cell with the decoders of its row and column   36228   8.11
the same with its finish station               65574   7.97
cell for posit(16,1) alone                     23406   6.57
cell for posit(8,0) alone, two products        10812   9.29
the same with decoders                         14070   5.37
cell for posit(8,0) alone, one product          7458   9.29
the same with decoders                          9145   5.73
decoders of a row                               4603   5.05
finish station (15170 for float32 addition)    32495   7.38
=============================================  =====  =====

What was tried: a 13 x 13 multiplier whose rows Yosys adds is 11 % larger and takes 8.5 ns instead of 5.7; rows
compressed as whole words instead of bits make it 14 to 17 % larger. With 11 to 44 bits between waiting carries cells
differ by 1.4 %; with a single carry, above the first segment, a cell is 1.6 % smaller and takes 11.4 ns.

Not built: a quire of its own for each sub-lane, in parts of the wide one. It would spare the sums of narrow products,
but all 126 bits of the quire would change in narrow modes, not 38.
"""

from __future__ import annotations

from functools import partial

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring

from ...models.pe.xr_npe import XrNpe, product_range
from ..compress import total
from ..rounding import delay
from .stations import Stations, dot_ports
from .xr_npe_finish import Finish
from .xr_npe_operands import (
    OPERAND,
    PLACES,
    PRECISION,
    WIDTHS,
    PrepareColumn,
    PrepareRow,
    column_layout,
    narrow_bits,
    result_layout,
    row_layout,
    segments,
)


def stations(pe: XrNpe) -> Stations:
    """Return the constructors of the four stations for a description."""
    return Stations(
        PrepareRow=partial(PrepareRow, pe),
        PrepareColumn=partial(PrepareColumn, pe),
        Dot=partial(Dot, pe),
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
        first, last = delay(m, step.valid & step.first, 2), delay(m, step.valid & step.last, 2)
        words = [
            [_used(m, operand.words[lane], packings) for operand in (self.row, self.column)] for lane in range(pe.lanes)
        ]
        nar = delay(m, Cat(operand.nar for pair in words for operand in pair).any(), 2)
        wides, quads = [wide], [quad]
        if len(packings) > 1:
            wides += [delay(m, wide, 1), delay(m, wide, 2)]
            quads += [delay(m, quad, 1)]
        addends, ones = [], []
        for a, b in words:
            aligned = _align(m, *_multiply(m, a, b, wides[0], quads[0]), wides[len(wides) // 2], quads[-1], pe)
            addends.append(_put(m, *aligned[:3], wides[-1], pe))
            ones.append(aligned[3])
        _accumulate(m, pe, addends, ones, first, last, nar, wides[-1], self.result)
        return m


def _used(m: Module, operand: data.View, packings: set[int]) -> data.View:
    """Return an operand with 0 in what none of the modes uses."""
    masks = dict.fromkeys(("significand", "exponent", "sign"), 0)
    for packing in packings:
        stride = PLACES // packing
        for part in range(packing):
            masks["significand"] |= ((1 << WIDTHS[packing]) - 1) << 3 * stride * part
            masks["exponent"] |= 0o77 << 6 if packing == 1 else 7 << 3 * stride * part
            masks["sign"] |= 4 if packing == 1 else 1 << stride * part
    used = Signal(OPERAND)
    m.d.comb += [used[name].eq(operand[name] & mask) for name, mask in masks.items()]
    m.d.comb += used.nar.eq(operand.nar)
    return used


def _multiply(m: Module, row: Value, column: Value, wide: Value, quad: Value) -> tuple[Value, Value, Value]:
    """Return, a cycle later, the products side by side, the sums of exponents of the places (4 bits each), signs."""
    a, b = row.significand, column.significand
    near, far = Signal(PRECISION), Signal(PRECISION)
    m.d.comb += [near.eq(a & ~quad.replicate(PRECISION)), far.eq(a & wide.replicate(PRECISION))]

    def partial_product(i: int, j: int) -> Value:
        copy = a if i // 3 == j // 3 else near if i // 6 == j // 6 else far
        return copy[i] & b[j]

    rows = [(Cat(partial_product(i, j) for i in range(PRECISION)), j) for j in range(PRECISION)]
    product = Signal(2 * PRECISION)
    exponents = [Signal(4, name=f"exponent_{place}") for place in range(PLACES)]
    sums: list[Value] = []
    for place in range(PLACES):
        carry = (sums[2][3] & wide) if place == 3 else 0
        sum_ = Signal(4, name=f"sum_{place}")
        m.d.comb += sum_.eq(row.exponent.word_select(place, 3) + column.exponent.word_select(place, 3) + carry)
        sums.append(sum_)
        m.d.sync += exponents[place].eq(sum_)
    m.d.sync += product.eq(total(m, rows, 2 * PRECISION))
    return product, Cat(*exponents), delay(m, row.sign ^ column.sign, 1)


def _shift_left(m: Module, word: Value, amount: Value, fill: Value, width: int) -> Value:
    """Return the low `width` bits of `word << amount`, with `fill` from below; `fill` is also above the word."""
    for bit in range(len(amount)):
        wider = min(len(word) + (1 << bit), width)
        word = word[:wider]
        shifted = Signal(wider, name=f"shifted_{1 << bit}")
        filled = Cat(fill.replicate(1 << bit), word)
        kept = Cat(word, fill.replicate(wider - len(word)))
        m.d.comb += shifted.eq(Mux(amount[bit], filled, kept))
        word = shifted
    return word


def _align(
    m: Module, product: Value, exponents: Value, sign: Value, wide: Value, quad: Value, pe: XrNpe
) -> tuple[Value, Value, Value, Value]:
    """Return, a cycle later, what is left to shift by 16 * coarse: chunk, what is above it, coarse, and 1 to add.

    Negative products are complemented, and the ones that they lack then are added where there is room for a carry.
    """
    exponent = [exponents.word_select(place, 4) for place in range(PLACES)]
    narrow = [product_range(mode).largest.bit_length() for mode in pe.modes if mode.packing > 1]
    largest = max(narrow, default=0)
    least = max((product_range(mode).largest.bit_length() for mode in pe.modes if mode.packing == 4), default=0)

    taken = Signal(2 * PRECISION, name="taken")
    main = Signal(2 * PRECISION, name="main")
    m.d.comb += [
        taken.eq(Cat(wide.replicate(12), C(63, 6), (~quad).replicate(6), wide.replicate(2))),
        main.eq((product & taken) ^ sign[2].replicate(2 * PRECISION)),
    ]
    fine = Cat(exponent[2][:3], Mux(wide, exponent[3][0], exponent[2][3]))
    main = _shift_left(m, main, fine, sign[2], 2 * PRECISION + 15)

    second = Signal(12, name="second")
    m.d.comb += second.eq(
        (product[:12] & Cat((~wide).replicate(6), (~wide & ~quad).replicate(6))) ^ sign[0].replicate(12)
    )
    terms = [Cat(_shift_left(m, second, exponent[0], sign[0], largest), sign[0]).as_signed()]
    for place in (1, 3) if least else ():
        negative = sign[place] & quad
        small = Signal(4, name="small")
        m.d.comb += small.eq((product[6 * place :][:4] & quad.replicate(4)) ^ negative.replicate(4))
        terms.append(Cat(_shift_left(m, small, exponent[place], negative, least), negative).as_signed() + negative)
    terms.append((Cat(main[12 : 12 + largest], sign[2]) & (~wide).replicate(largest + 1)).as_signed())
    total = Signal(signed(largest + 2))
    if narrow:
        m.d.comb += total.eq((terms[0] + terms[-1] + sign[0]) + sum(terms[1:-1]))

    limit = min(narrow_bits(pe), len(main))
    chunk, fill, one = Signal(len(main)), Signal(), Signal()
    m.d.sync += [
        chunk.eq((main & wide.replicate(len(main))) | Cat(total, total[-1].replicate(len(main)))[:limit]),
        fill.eq(Mux(wide, sign[2], total[-1])),
        one.eq(sign[2]),
    ]
    return chunk, fill, delay(m, exponent[3][1:] & wide.replicate(3), 1), one


def _put(m: Module, chunk: Value, fill: Value, coarse: Value, wide: Value, pe: XrNpe) -> Value:
    """Return the chunk shifted left by 16 * coarse, with `fill` around it, as wide as the quire."""
    extended, chosen = Signal(48, name="extended"), Signal(6, name="chosen")
    m.d.comb += extended.eq(Cat(chunk, fill.replicate(len(extended))))
    m.d.comb += [chosen[index].eq(coarse == index) for index in range(len(chosen))]
    parts = [extended[16 * part : 16 * part + 16] for part in range(3)]
    limit = narrow_bits(pe)
    # Above what narrow modes use they leave 0.
    used = Cat(C((1 << limit) - 1, limit), wide.replicate(pe.accumulator_bits - limit))
    words = []
    for word in range(-(-pe.accumulator_bits // 16)):
        cases = [(chosen[word - part], parts[part]) for part in range(3) if 0 <= word - part < len(chosen)]
        missed = fill & ~Cat(case for case, _ in cases).any()
        words.append(missed.replicate(16))
        for case, part in cases:
            words[-1] |= part & case.replicate(16)
    addend = Signal(pe.accumulator_bits, name="addend")
    m.d.comb += addend.eq(Cat(*words) & used)
    return addend


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
    quire, totals = Signal(result.shape(), name="quire"), Signal(result.shape(), name="totals")
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
        m.d.sync += result.eq(totals)
