"""Operands of processing elements of blocks: what the edges of a tile make of codes and headers for the cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data

from ...models.formats import BlockFormat, Format
from ...models.pe.blocks import BlockPE
from ...models.pe.headers import levels
from ...models.pe.mode import Mode


class Place(NamedTuple):
    """What the numbers at one place of a lane's word are like.

    exponent : the greatest power of two that a magnitude is multiplied by; 0 if there are integers only.
    bits : of significands; of integers with their sign.
    product : bits of the greatest product.
    """

    exponent: int
    bits: int
    product: int

    @property
    def number(self) -> data.StructLayout:
        """What a row makes of an operand, and a column if there are exponents."""
        if self.exponent == 0:
            return data.StructLayout({"integer": signed(self.bits)})
        return data.StructLayout({"significand": self.bits, "exponent": self.exponent.bit_length(), "sign": 1})

    @property
    def factor(self) -> data.StructLayout:
        """What a column makes of an operand: if there are no exponents, Booth digits."""
        if self.exponent == 0:
            return data.StructLayout({"digits": data.ArrayLayout(DIGIT, (self.bits + 1) // 2)})
        return self.number


DIGIT = data.StructLayout({"one": 1, "two": 1, "negative": 1})
"""A digit of -2..2."""


def places(pe: BlockPE) -> list[Place]:
    """Return what the numbers of each place are like, from the lowest bits of a word on."""
    found = []
    for place in range(max(mode.packing for mode in pe.modes)):
        using = [pe.block_format(mode) for mode in pe.modes if mode.packing > place]
        exponents = [_exponent(each) for each in using]
        integers = not any(exponents)
        bits = [_magnitude(each.element, integers) for each in using]
        product = max(2 * (width + exponent) for width, exponent in zip(bits, exponents, strict=True))
        found.append(Place(max(exponents), max(bits), product))
    return found


def _exponent(format: BlockFormat) -> int:
    """Return the greatest power of two that significands of a format are multiplied by."""
    element, finer = format.element, len(levels(format)) - 1
    if element.encoding == "integer":
        return finer
    return max((element.largest >> element.mantissa_bits) - 1, 0) + finer


def _magnitude(element: Format, integers: bool) -> int:
    """Return the bits of the significands of a format, or of its numbers as integers with a sign."""
    return element.bits if element.encoding == "integer" else element.mantissa_bits + 1 + integers


def row_layout(pe: BlockPE) -> data.ArrayLayout:
    """Return the shape of what a cell takes in a step from its row: the numbers of each lane."""
    return data.ArrayLayout(
        data.StructLayout({f"place_{i}": each.number for i, each in enumerate(places(pe))}), pe.lanes
    )


def column_layout(pe: BlockPE) -> data.ArrayLayout:
    """Return the shape of what a cell takes in a step from its column."""
    return data.ArrayLayout(
        data.StructLayout({f"place_{i}": each.factor for i, each in enumerate(places(pe))}), pe.lanes
    )


def decode(m: Module, words: Value, finer: list[Value], mode: Mode, pe: BlockPE, layout: data.ArrayLayout) -> Value:
    """Return the operands of a step in the layout of a row or a column; at places that the mode does not use, 0.

    words : the lanes' words. finer : the sum of the finer scales' exponents for each operand.
    """
    element, width = pe.block_format(mode).element, pe.activation_bits // mode.packing
    operands: list[Value] = []
    for lane in range(pe.lanes):
        for place, (name, field) in enumerate(layout.elem_shape):
            operand = Signal(field.shape, name=f"{name}_{mode.scale}_{element.name}_{lane}")
            if place >= mode.packing:
                operands.append(C(0, field.width))
                continue
            index = lane * mode.packing + place
            code = words.word_select(index, width)[: element.bits]
            negative, magnitude, exponent = number(code, element)
            members = field.shape.members
            if "sign" in members:
                m.d.comb += [
                    operand.sign.eq(negative),
                    operand.significand.eq(magnitude),
                    operand.exponent.eq(exponent + finer[index]),
                ]
            else:
                integer = Signal(signed(places(pe)[place].bits), name=f"integer_{mode.scale}_{lane}_{place}")
                plain = code.as_signed() if element.encoding == "integer" else Mux(negative, -magnitude, magnitude)
                m.d.comb += integer.eq(plain)
                m.d.comb += operand.as_value().eq(integer if "integer" in members else recoded(integer))
            operands.append(operand.as_value())
    return Cat(*operands)


def number(code: Value, element: Format) -> tuple[Value, Value, Value]:
    """Return sign, significand and exponent of a code; it is worth significand * 2^exponent units of the format."""
    negative = code[-1]
    if element.encoding == "integer":
        return negative, Mux(negative, -code, code)[: element.bits], C(0, 1)
    field = code[element.mantissa_bits : -1]
    normal = field.any()
    return negative, Cat(code[: element.mantissa_bits], normal), (field - normal)[: len(field)]


def recoded(integer: Value) -> Value:
    """Return the radix-4 Booth digits of a signed number, least significant first."""
    digits = []
    for low in range(0, len(integer), 2):
        below = integer[low - 1] if low else C(0, 1)
        middle, high = integer[low], integer[min(low + 1, len(integer) - 1)]
        two = (high & ~middle & ~below) | (~high & middle & below)
        digits.append(Cat(middle ^ below, two, high & ~(middle & below)))
    return Cat(*digits)


def is_special(words: Value, mode: Mode, pe: BlockPE) -> Value:
    """Return whether an operand of a step is infinite or NaN."""
    element, width = pe.block_format(mode).element, pe.activation_bits // mode.packing
    if element.specials == "none":
        return C(0, 1)
    low = {"fn": 0, "ieee": element.mantissa_bits}[element.specials]
    codes = (words.word_select(index, width) for index in range(pe.lanes * mode.packing))
    return Cat(code[low : element.bits - 1].all() for code in codes).any()


def finer_bits(pe: BlockPE) -> int:
    """Return the bits of headers beyond the scale of the block, in the mode that has most of them."""
    counts = (sum(level.scale.bits * count for level, count in levels(each)[1:]) for each in pe.formats)
    return max(counts)


def each_mode(m: Module, mode: Value, pe: BlockPE) -> Iterator[Mode]:
    """Yield each mode, within the case in which it is that of `mode`."""
    with m.Switch(mode):
        for index, each in enumerate(pe.modes):
            with m.Case(index) if index < len(pe.modes) - 1 else m.Default():
                yield each


def finer_exponents(m: Module, step: Value, held: Value, mode: Mode, pe: BlockPE) -> list[Value]:
    """Return for each operand of a step the sum of its finer scales' exponents, of one bit each.

    held : the codes of these scales, coarse to fine.
    """
    format, lanes = pe.block_format(mode), pe.lanes * mode.packing
    steps = -(-pe.longest(mode) // lanes)
    position, following = Signal(range(steps + 1)), Signal(range(steps + 1))
    m.d.comb += position.eq(Mux(step.first, 0, following))
    with m.If(step.valid):
        m.d.sync += following.eq(position + 1)
    exponents: list[Value] = [C(0, 1)] * lanes
    start = 0
    for level, count in levels(format)[1:]:
        assert isinstance(level.extent, int)
        codes = held[start : start + count]
        start += count
        for lane in range(lanes):
            scale_of = [min((at * lanes + lane) // level.extent, count - 1) for at in range(steps)]
            exponents[lane] = exponents[lane] + Array(codes[index] for index in scale_of)[position]
    return exponents
