"""A scalar format: a finite set of dyadic rationals with a code for each. It is data; `encodings` gives it meaning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..errors import InputError, unknown
from . import chunks, codec, fast
from .encodings import ENCODINGS
from .rounding import RULES, rule

SPECIALS = ("none", "ieee", "fn", "fnuz", "uz", "nar")


@dataclass(frozen=True)
class Format:
    """A scalar number format. Codes are unsigned bit patterns: uint8, uint16 or uint32, the narrowest that holds them.

    Parameters
    ----------
    name : name that `formats.parse` takes.
    bits : width of a code.
    encoding : layout of a code, a key of `encodings.ENCODINGS`.
        ``"integer"``: two's complement, or unsigned;
        ``"odd"``: the integers 2 code - (2^bits - 1), each a sum of `bits` planes of -1 and +1 (see `planes`);
        ``"float"``: sign, exponent, mantissa;
        ``"posit"``: see `posits`;
        ``"hif8"``: see `hif8`.
    signed : whether there are negative values.
    exponent_bits : width of the exponent field; 0 for integers.
    bias : what is subtracted from the exponent field; for integers the number of fraction bits.
    specials : codes that are not numbers.
        ``"none"``: there are none;
        ``"ieee"``: the greatest exponent holds infinity and NaN;
        ``"fn"``: only the greatest magnitude is NaN, and nothing is infinite;
        ``"fnuz"``: the code of -0 (the sign bit alone) is the only NaN, and nothing is infinite;
        ``"uz"``: as ``"fnuz"``, and the greatest magnitude is infinite;
        ``"nar"``: as ``"fnuz"``, and infinities are encoded as that NaN.
    subnormals : whether the least exponent of a float holds 0 and subnormals; if not, there is no 0, and `encode` gives
        the least value instead.
    rounding : what `encode` does unless told otherwise.
    """

    name: str
    bits: int
    encoding: str
    signed: bool
    exponent_bits: int = 0
    bias: int = 0
    specials: str = "none"
    subnormals: bool = True
    rounding: str = "nearest-even"

    def checked(self) -> Format:
        """Return the format itself, if its description makes sense.

        Raises
        ------
        InputError : if it does not.
        """
        if self.encoding not in ENCODINGS:
            raise unknown("encoding", self.encoding, ENCODINGS)
        if self.specials not in SPECIALS:
            raise unknown("specials", self.specials, SPECIALS)
        if self.rounding not in RULES:
            raise unknown("rounding", self.rounding, RULES)
        if not 1 <= self.bits <= 32 or self.mantissa_bits < (0 if self.encoding == "float" else -self.exponent_bits):
            raise InputError(f"{self.name} has {self.bits} bits, {self.exponent_bits} of them exponent; at most 32 fit")
        return self

    @property
    def mantissa_bits(self) -> int:
        """Width of what remains of a code beside its sign and its exponent; not of use for posits and HiF8."""
        return self.bits - self.exponent_bits - self.signed

    @property
    def dtype(self) -> np.dtype:
        """Type of an array of codes."""
        return np.dtype(np.uint8 if self.bits <= 8 else np.uint16 if self.bits <= 16 else np.uint32)

    @property
    def sign(self) -> int:
        """The sign bit of a code, 0 if there is none."""
        return self.signed << (self.bits - 1)

    @property
    def infinity(self) -> int | None:
        """Rank of infinity, if there is one; except in HiF8 it is the code of plus infinity."""
        if self.specials == "ieee":
            return ((1 << self.exponent_bits) - 1) << self.mantissa_bits
        return (1 << (self.bits - self.signed)) - 1 if self.specials == "uz" else None

    @property
    def nan(self) -> int | None:
        """Code of the NaN that `encode` gives, if there is one."""
        if self.specials == "ieee":
            return (self.infinity or 0) | (1 << self.mantissa_bits) >> 1
        return {"none": None, "fn": (1 << (self.bits - self.signed)) - 1}.get(self.specials, self.sign)

    @property
    def maximum(self) -> float:
        """Greatest finite value."""
        return float(ENCODINGS[self.encoding].value(self, np.array(self.largest)))

    @property
    def minimum(self) -> float:
        """Least finite value; if unsigned, 0 where there is a 0."""
        least = ENCODINGS[self.encoding].value(self, np.array(self.largest_negative))
        return float(0.0 - least if self.signed else least)

    @property
    def largest(self) -> int:
        """Rank of the greatest finite value."""
        top = (1 << (self.bits - self.signed)) - 1
        return {"ieee": (self.infinity or 0) - 1, "fn": top - 1, "uz": top - 1}.get(self.specials, top)

    @property
    def largest_negative(self) -> int:
        """Rank of the least finite value, 0 if unsigned."""
        if self.encoding == "integer" and self.specials == "none":
            return self.sign
        return self.largest if self.signed else 0

    def values(self, dtype: DTypeLike = np.float64) -> NDArray[Any]:
        """Return the value of every code in the order of the codes, for formats of at most 16 bits.

        Raises
        ------
        InputError : if the format is wider, or if a value is not exact in `dtype`.
        """
        if self.bits > 16:
            raise InputError(f"{self.name} has 2^{self.bits} values; only those of up to 16 bits are listed")
        with np.errstate(over="ignore"):
            narrow = self._values.astype(dtype)
        if not np.array_equal(narrow, self._values, equal_nan=True):
            raise InputError(f"the values of {self.name} do not fit {np.dtype(dtype)}")
        return narrow

    @cached_property
    def _values(self) -> NDArray[np.float64]:
        return codec.decode(self, np.arange(1 << self.bits))

    def decode(self, codes: ArrayLike, dtype: DTypeLike = np.float64) -> NDArray[Any]:
        """Return the exact values of `codes`, in the same shape.

        Parameters
        ----------
        codes : integers of any type.
        dtype : float type of the result. Formats of at most 16 bits are only decoded into a type that holds all their
            values; wider ones are rounded to it.

        Raises
        ------
        InputError : if a code is not an integer or does not fit the width of the format, or as `values` does.
        """
        codes = self.checked_codes(codes)
        table = None if self.bits > 16 else self._values if dtype is np.float64 else self.values(dtype)

        def decode(some: NDArray, out: NDArray) -> None:
            if table is None:
                out[...] = codec.decode(self, some.astype(np.int64))
            else:
                table.take(some, out=out, mode="clip")

        return chunks.apply(decode, codes, dtype)

    def encode(
        self,
        x: ArrayLike,
        rounding: str | None = None,
        overflow: str = "saturate",
        seed: int | np.random.Generator | None = None,
    ) -> NDArray[np.unsignedinteger]:
        """Return the codes of real values, in the shape of `x`.

        A value is rounded as if exponents (integers) had no upper limit; what then lies beyond the finite values, and
        every infinity, overflows, except that finite values which are rounded towards zero remain finite, as in IEEE
        754. A tie of ``"nearest-even"`` goes to the even rank, which is that of the even code.
        Posits are rounded on their bit strings: a tie is where the cut-off bits are 100..., ``"stochastic"`` takes the
        cut-off bits for a probability, and no rounding makes a nonzero value 0 or a finite one NaR. The same holds for
        other formats without 0: what is less than their least magnitude becomes it.

        Parameters
        ----------
        x : values, any shape and type that float64 holds.
        rounding : ``"nearest-even"``, ``"nearest-away"``, ``"toward-zero"``, ``"up"``, ``"down"`` or ``"stochastic"``;
            None is the format's own, ``"nearest-even"`` for all but HiF8.
        overflow : ``"saturate"`` to the nearest finite value, or ``"infinity"`` or ``"nan"`` where the format has one.
        seed : seed or generator of ``"stochastic"``.

        Raises
        ------
        InputError : on an unknown rounding or overflow, or on a NaN that the format cannot hold.
        """
        rounding = rounding or self.rounding
        beyond = self._beyond(overflow)
        decide = rule(rounding, seed)
        x = np.asarray(x)
        if x.dtype not in (np.float32, np.float64):
            x = x.astype(np.float32 if x.dtype.itemsize <= 2 else np.float64)
        ready = fast.encoder(self, rounding, beyond, x.dtype)

        def encode(some: NDArray, out: NDArray) -> None:
            if self.nan is None and np.isnan(some).any():
                raise InputError(f"NaN cannot be encoded in {self.name}, which has no NaN")
            if ready is None or not ready(some, out):
                out[...] = codec.encode(self, some.astype(np.float64), decide, beyond)

        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return chunks.apply(encode, x, self.dtype)

    def integers(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Return the codes of an integer format as signed int64, without its fraction bits.

        Raises
        ------
        InputError : if the format is not an integer format, if a code is that of NaN, or as `decode` does.
        """
        if self.encoding != "integer":
            raise InputError(f"{self.name} is not an integer format; decode its codes instead")
        codes = self.checked_codes(codes).astype(np.int64)
        if self.nan is not None and (codes == self.nan).any():
            raise InputError(f"code {self.nan} of {self.name} is NaN, which is no integer")
        return codes - ((codes & self.sign) << 1)

    def numbers(self, codes: NDArray[np.unsignedinteger]) -> NDArray[np.integer]:
        """Return codes as processing elements take them: those of an integer format as integers, others as they are."""
        return self.integers(codes) if self.encoding == "integer" else codes

    def _beyond(self, overflow: str) -> int | None:
        """Return the rank that replaces what overflows; None stands for the nearest finite value."""
        choices = {"saturate": None, "infinity": self.infinity, "nan": self.nan}
        if overflow not in choices:
            raise unknown("overflow", overflow, choices)
        if overflow != "saturate" and choices[overflow] is None:
            raise InputError(f"{self.name} has no {overflow}; overflow can be 'saturate'")
        return choices[overflow]

    def checked_codes(self, codes: ArrayLike) -> NDArray:
        codes = np.asarray(codes)
        if codes.dtype.kind not in "iu":
            raise InputError(f"codes of {self.name} must be integers, not {codes.dtype}")
        if codes.size and not 0 <= codes.min() <= codes.max() < 1 << self.bits:
            wrong = codes.min() if codes.min() < 0 else codes.max()
            raise InputError(f"code {wrong} does not fit the {self.bits} bits of {self.name}")
        return codes
