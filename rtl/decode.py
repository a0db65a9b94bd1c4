"""Decoders of scalar formats to floats with subnormals, whatever the format.

A number is (-1)^sign * significand * 2^exponent in units of the format's least magnitude. The exponent is not negative,
and is 0 where the significand is not normalized: exponents then span less than those of normalized numbers would, and
whoever aligns products has less to shift.
"""

from __future__ import annotations

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
        return _posit(m, code, posit_of(name), precision)
    mantissa = scalar(name).mantissa_bits
    field, some = code[mantissa:-1], code[:-1].any()
    significand = Cat(C(0, precision - 1 - mantissa), code[:mantissa], field.any())
    return Number(code[-1] & some, significand, Mux(field.any(), field - 1, 0), C(0, 1))


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
