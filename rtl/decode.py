"""Decoders of scalar formats to floats with subnormals, whatever the format.

A number is (-1)^sign * significand * 2^exponent in units of the format's least magnitude. The exponent is not negative,
and is 0 where the significand is not normalized: exponents then span less than those of normalized numbers would, and
whoever aligns products has less to shift.

Posits without exponent bits need half a decoder: the magnitude of a code, as an integer, is the number itself up to 1
and a bit beyond. With registers around it, a decoder of posit(8,0) takes 672 um2 and 2.6 ns in sky130_fd_sc_hd (Yosys
0.70 + ABC, 4 ns); 1124 and 4.0 if it normalizes first, as those with exponent bits do, 756 and 1.4 as a table of codes,
697 and 2.6 if its fraction is shifted by the number of ones and not by a line for each.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed

from ..models.formats import scalar
from .posit import Posit, posit_of
from .rounding import normalize


class Number(NamedTuple):
    """A decoded number: see the module. `nar` is set for NaR, whose other fields mean nothing."""

    sign: Value
    significand: Value
    exponent: Value
    nar: Value


def decode(m: Module, code: Value, name: str, precision: int) -> Number:
    """Return what a code of a posit, or of a float without infinity and NaN, stands for.

    Parameters
    ----------
    precision : bits of the significand, not less than the format has.
    """
    if scalar(name).encoding == "posit":
        posit = posit_of(name)
        return _posit(m, code, posit, precision) if posit.exponent_bits else _linear(m, code, posit, precision)
    mantissa = scalar(name).mantissa_bits
    field, some = code[mantissa:-1], code[:-1].any()
    significand = Cat(C(0, precision - 1 - mantissa), code[:mantissa], field.any())
    return Number(code[-1] & some, significand, Mux(field.any(), field - 1, 0), C(0, 1))


def _linear(m: Module, code: Value, posit: Posit, precision: int) -> Number:
    """Return a posit without exponent bits; its significand has as many bits as the format needs, zeros above.

    Below 1 a magnitude is a multiple of the least, its code. Above, a run of ones says how often the fraction behind it
    doubles, and the first of them stands for the leading one.
    """
    bits = posit.bits - 2
    sign = code[-1]
    magnitude = Signal(bits + 1, name="posit_magnitude")
    m.d.comb += magnitude.eq(Mux(sign, -code, code))
    runs = [magnitude[-1]]
    for bit in reversed(range(bits)):
        run = Signal(name=f"posit_run_{bits - bit}")
        m.d.comb += run.eq(runs[-1] & magnitude[bit])
        runs.append(run)
    # A run of one leaves the fraction where it is, as does none.
    places = Cat(~runs[1], *(run & ~longer for run, longer in pairwise(runs[1:-1])))
    shifted = (Cat(places[each] & magnitude[bit - each] for each in range(bit + 1)) for bit in range(bits - 1))
    significand = Cat(*(bit.any() for bit in shifted), magnitude[-2:].any(), C(0, precision - bits))
    exponent = Cat(_digit(runs, place) for place in range(len(runs).bit_length()))
    return Number(sign, significand, exponent, sign & ~code[:-1].any())


def _digit(ones: list[Value], place: int) -> Value:
    """Return a binary digit of the number of ones, all of which come before the zeros."""
    low = range((1 << place) - 1, len(ones), 2 << place)
    ends = [ones[start + (1 << place)] if start + (1 << place) < len(ones) else C(0, 1) for start in low]
    return Cat(ones[start] & ~end for start, end in zip(low, ends, strict=True)).any()


def _posit(m: Module, code: Value, posit: Posit, precision: int) -> Number:
    n, es = posit
    sign = code[-1]
    magnitude = Signal(n - 1, name="posit_magnitude")
    m.d.comb += magnitude.eq(Mux(sign, -code, code))
    some = magnitude.any()

    # The regime's run ends at the first bit that is unlike its first: the leading one once ones are complemented.
    ones = magnitude[-1]
    normalized, places = normalize(m, magnitude[:-1] ^ ones.replicate(n - 2), fill=ones)
    run = Mux(normalized[-1], places, n - 2)
    tail = normalized[:-1] ^ ones.replicate(n - 3)
    tail = Cat(C(0, max(es + precision - 1 - len(tail), 0)), tail)
    regime = Mux(ones, run, ~Cat(run, 0).as_signed())
    scale = (regime << es) + tail[len(tail) - es :]

    # Below the least normalized number the exponent stays 0 and the significand loses zeros.
    biased = Signal(signed(len(run) + es + 3), name="posit_biased")
    m.d.comb += biased.eq(scale + (posit.unit - (precision - 1)))
    depth = Signal(range(precision + 1), name="posit_depth")
    m.d.comb += depth.eq(Mux(biased < 0, -biased, 0))
    significand = Cat(tail[len(tail) - es - (precision - 1) : len(tail) - es], some) >> depth
    exponent = Mux(some & (biased > 0), biased, 0)
    return Number(sign & some, Mux(some, significand, 0), exponent, sign & ~some)
