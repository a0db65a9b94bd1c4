"""Processing elements with float32 accumulators as circuits: a tree of adders and one in a loop, in every cell.

The arithmetic is `dyad.models.pe.floats`. Numbers inside a cell are float32 codes of 0 or normal numbers. An addition
is one cycle, rounding and all, so that a step can be taken every cycle: that, not the products, is the longest path.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring

from ...models.pe import PE
from ..float import Add
from ..rounding import delay, normalize, shift_right
from .stations import Stations, dot_ports, finish_ports

Product = Callable[[Module, Value, Value], Value]
"""Given what a row and a column made of an operand: their product, a float32 that is 0 or normal."""

LARGEST = 0x7F7FFFFF


def stations(
    pe: PE,
    prepare_row: Callable[[], wiring.Component],
    prepare_column: Callable[[], wiring.Component],
    operand_bits: int,
    product: Product,
) -> Stations:
    """Return the constructors of the stations of `pe`, whose edges give operands of `operand_bits` for each lane."""
    return Stations(
        PrepareRow=prepare_row,
        PrepareColumn=prepare_column,
        Dot=partial(Dot, pe, operand_bits, product),
        Finish=Finish,
        result=32,
        sum=1,
    )


class Dot(wiring.Component):
    """A cell: `lanes` products each cycle, added pairwise, and their sum to what there is of the segment.

    Parameters
    ----------
    pe : description of the processing element.
    operand_bits : of what a row and a column make of an operand.
    product : how two of them are multiplied.
    limited : whether sums stay 0 or normal of themselves (`add`); if not they are kept so.

    Ports
    -----
    step : in, `STEP`, with its rules.
    row, column : in, operand_bits * lanes; a row's are those of 0 in cycles without operands.
    result : out, 32, a float32; sum of the last segment that ended.
    """

    def __init__(self, pe: PE, operand_bits: int, product: Product, limited: bool = True) -> None:
        self._pe, self._bits, self._product, self._limited = pe, operand_bits, product, limited
        words = operand_bits * pe.lanes
        super().__init__(dot_ports(words, words, 32))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe, bits = self._pe, self._bits
        level = []
        for lane in range(pe.lanes):
            product = self._product(m, self.row.word_select(lane, bits), self.column.word_select(lane, bits))
            level.append(delay(m, product, 1))
        late = 1
        while len(level) > 1:
            pairs = zip(level[::2], level[1::2], strict=False)
            sums = [add(m, one, other, self._limited) for one, other in pairs] + level[len(level) & ~1 :]
            level = [delay(m, each, 1) for each in sums]
            late += 1
        valid, first, last = delay(m, Cat(self.step.valid, self.step.first, self.step.last), late)
        accumulator, shown = (Signal(32, reset_less=True, name=name) for name in ("accumulator", "shown"))
        total = Signal(32)
        m.d.comb += total.eq(add(m, Mux(valid & first, 0, accumulator), level[0], self._limited))
        m.d.sync += accumulator.eq(total)
        with m.If(valid & last):
            m.d.sync += shown.eq(total)
        m.d.comb += self.result.eq(shown)
        return m


def add(m: Module, a: Value, b: Value, limited: bool = True) -> Value:
    """Return the float32 sum of two that are each 0 or normal, rounded to nearest even.

    limited : whether the sum is 0 or normal too; if that is not sure, it becomes 0 below and the largest number beyond.
    """
    swap = Signal()
    large, small = Signal(32, name="large"), Signal(32, name="small")
    m.d.comb += [
        swap.eq(a[:31] < b[:31]),
        large.eq(Mux(swap, b, a)),
        small.eq(Mux(swap, a, b)),
    ]
    # Three more bits below the significands make a difference, too, round right: half, a guard and the sticky bit.
    distance, amount = Signal(8), Signal(5)
    m.d.comb += [distance.eq(large[23:31] - small[23:31]), amount.eq(Mux(distance < 32, distance, 31))]
    aligned = shift_right(m, Cat(C(0, 3), small[:23], small[23:31].any()), amount)
    negative = large[31] ^ small[31]
    total = Signal(28)
    difference = Cat(aligned ^ negative.replicate(27), negative)
    m.d.comb += total.eq(Cat(C(0, 3), large[:23], large[23:31].any()) + difference + negative)

    word, places = normalize(m, total)
    rounded = Signal(32, name="rounded")
    exponent = Signal(8, name="exponent")
    m.d.comb += [
        exponent.eq(large[23:31] + 1 - places),
        rounded.eq(Cat(word[4:-1], exponent) + (word[3] & (word[4] | word[:3].any()))),  # may carry into the exponent
    ]
    magnitude, some = rounded[:31], word[-1]
    if not limited:
        whole = Signal(signed(10), name="whole")
        m.d.comb += whole.eq(large[23:31] + 1 - places)
        magnitude = Mux((whole > 254) | magnitude[23:].all(), LARGEST, magnitude)
        some = some & (whole > 0)
    return Mux(some, Cat(magnitude[:31], large[31]), 0)


class Finish(wiring.Component):
    """Adds a cell's result to a total, with `latency` cycles and interval 1.

    Ports
    -----
    accumulator : in, 32; a finite float32.
    mode, activation_sum, zero_point, scale, scaled : in; not used.
    base : in, 32; the total before: bits of a finite float32.
    total : out, 32, `latency` cycles later; f32(base + accumulator). Unless totals are `limited` to finite numbers of
        themselves, the largest in place of infinity.
    """

    latency = Add.latency

    def __init__(self, limited: bool = True) -> None:
        self._limited = limited
        super().__init__(finish_ports(32, 1))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.add = add = Add()
        m.d.comb += [add.a.eq(self.base), add.b.eq(self.accumulator), self.total.eq(add.sum)]
        if not self._limited:
            with m.If(add.sum[23:31].all()):
                m.d.comb += self.total.eq(Cat(C(LARGEST, 31), add.sum[31]))
        return m
