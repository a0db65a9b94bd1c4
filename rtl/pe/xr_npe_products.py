"""The products of a cell of XR-NPE that regroups its multiplier: formed, shifted and summed, put into the quire."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data

from ...models.pe.xr_npe import XrNpe, product_range
from ..compress import total
from .xr_npe_operands import OPERAND, PLACES, PRECISION, WIDTHS, held, narrow_bits


def used(m: Module, operand: data.View, packings: set[int]) -> data.View:
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


def multiply(m: Module, row: Value, column: Value, wide: Value, quad: Value) -> tuple[Value, Value, Value]:
    """Return, a cycle later, the products side by side, the sums of exponents of the places (4 bits each), signs."""
    a, b = row.significand, column.significand
    near, far = Signal(PRECISION), Signal(PRECISION)
    m.d.comb += [near.eq(a & ~quad.replicate(PRECISION)), far.eq(a & wide.replicate(PRECISION))]

    def partial_product(i: int, j: int) -> Value:
        copy = a if i // 3 == j // 3 else near if i // 6 == j // 6 else far
        return copy[i] & b[j]

    rows = [(Cat(partial_product(i, j) for i in range(PRECISION)), j) for j in range(PRECISION)]
    product = Signal(2 * PRECISION, reset_less=True)
    exponents = [Signal(4, name=f"exponent_{place}", reset_less=True) for place in range(PLACES)]
    sums: list[Value] = []
    for place in range(PLACES):
        carry = (sums[2][3] & wide) if place == 3 else 0
        sum_ = Signal(4, name=f"sum_{place}")
        m.d.comb += sum_.eq(row.exponent.word_select(place, 3) + column.exponent.word_select(place, 3) + carry)
        sums.append(sum_)
        m.d.sync += exponents[place].eq(sum_)
    m.d.sync += product.eq(total(m, rows, 2 * PRECISION))
    return product, Cat(*exponents), held(m, row.sign ^ column.sign, 1)


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


def align(
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

    total = Signal(signed(largest + 2))
    if narrow:
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
        m.d.comb += total.eq((terms[0] + terms[-1] + sign[0]) + sum(terms[1:-1]))

    limit = min(narrow_bits(pe), len(main))
    chunk, fill, one = (Signal(bits, reset_less=True) for bits in (len(main), 1, 1))
    m.d.sync += [
        chunk.eq((main & wide.replicate(len(main))) | Cat(total, total[-1].replicate(len(main)))[:limit]),
        fill.eq(Mux(wide, sign[2], total[-1])),
        one.eq(sign[2]),
    ]
    return chunk, fill, held(m, exponent[3][1:] & wide.replicate(3), 1), one


def put(m: Module, chunk: Value, fill: Value, coarse: Value, wide: Value, pe: XrNpe) -> Value:
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
