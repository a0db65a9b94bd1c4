"""A scalar format: a finite set of dyadic rationals with a code for each. It is data; `encodings` gives it meaning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, unknown
from .encodings import ENCODINGS
from .rounding import rule


@dataclass(frozen=True)
class Format:
    """A scalar number format. Codes are unsigned bit patterns: uint8, uint16 or uint32, the narrowest that holds them.

    Parameters
    ----------
    name : name that `formats.parse` takes.
    bits : width of a code.
    encoding : layout of a code, a key of `encodings.ENCODINGS`: ``"integer"`` or ``"float"``.
    signed : whether there are negative values.
    exponent_bits : width of the exponent field; 0 for integers.
    bias : what is subtracted from the exponent field; for integers the number of fraction bits.
    specials : codes that are not numbers.
        ``"none"``: there are none;
        ``"ieee"``: the greatest exponent holds infinity and NaN;
        ``"fn"``: only the greatest magnitude is NaN, and nothing is infinite;
        ``"fnuz"``: the code of -0 is the only NaN, and nothing is infinite.
    """

    name: str
    bits: int
    encoding: str
    signed: bool
    exponent_bits: int = 0
    bias: int = 0
    specials: str = "none"

    @property
    def mantissa_bits(self) -> int:
        """Width of what remains of a code beside its sign and its exponent."""
        return self.bits - self.exponent_bits - self.signed

    @property
    def dtype(self) -> np.dtype:
        """Type of an array of codes."""
        return np.dtype(np.uint8 if self.bits <= 8 else np.uint16 if self.bits <= 16 else np.uint32)

    @property
    def infinity(self) -> int | None:
        """Code of plus infinity, if there is one."""
        return ((1 << self.exponent_bits) - 1) << self.mantissa_bits if self.specials == "ieee" else None

    @property
    def nan(self) -> int | None:
        """Code of the NaN that `encode` gives, if there is one."""
        codes = {
            "ieee": (self.infinity or 0) | (1 << self.mantissa_bits) >> 1,
            "fn": (1 << (self.bits - self.signed)) - 1,
            "fnuz": self._sign,
        }
        return codes.get(self.specials)

    @property
    def maximum(self) -> float:
        """Greatest finite value."""
        return float(self.decode(self._largest))

    @property
    def minimum(self) -> float:
        """Least finite value: 0 if unsigned."""
        return float(0.0 - ENCODINGS[self.encoding].value(self, np.array(self._largest_negative)))

    @property
    def _sign(self) -> int:
        return self.signed << (self.bits - 1)

    @property
    def _largest(self) -> int:
        """Code of the greatest finite value."""
        top = (1 << (self.bits - self.signed)) - 1
        return {"ieee": (self.infinity or 0) - 1, "fn": top - 1}.get(self.specials, top)

    @property
    def _largest_negative(self) -> int:
        """Magnitude code of the least finite value."""
        if ENCODINGS[self.encoding].twos_complement:
            return self._sign
        return self._largest if self.signed else 0

    @cached_property
    def _table(self) -> NDArray[np.float64]:
        return self._decode(np.arange(1 << self.bits))

    def decode(self, codes: ArrayLike) -> NDArray[np.float64]:
        """Return the exact values of `codes`, float64 of the same shape.

        Raises
        ------
        InputError : if a code is not an integer or does not fit the width of the format.
        """
        codes = self._checked(codes)
        return self._table[codes] if self.bits <= 16 else self._decode(codes.astype(np.int64))

    def _decode(self, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        encoding = ENCODINGS[self.encoding]
        negative = codes & self._sign != 0
        magnitude = (
            np.where(negative, (1 << self.bits) - codes, codes) if encoding.twos_complement else codes & ~self._sign
        )
        value = encoding.value(self, magnitude)
        if self.infinity is not None:
            value = np.where(magnitude < self.infinity, value, np.where(magnitude == self.infinity, np.inf, np.nan))
        elif self.nan is not None:
            value = np.where((codes if self.specials == "fnuz" else magnitude) == self.nan, np.nan, value)
        return np.where(negative, -value, value)

    def encode(
        self,
        x: ArrayLike,
        rounding: str = "nearest-even",
        overflow: str = "saturate",
        seed: int | np.random.Generator | None = None,
    ) -> NDArray[np.unsignedinteger]:
        """Return the codes of real values, in the shape of `x`.

        A value is rounded as if exponents (integers) had no upper limit; what then lies beyond the finite values, and
        every infinity, overflows. A tie of ``"nearest-even"`` goes to the even code.

        Parameters
        ----------
        x : values, any shape; taken as float64.
        rounding : ``"nearest-even"``, ``"nearest-away"``, ``"toward-zero"``, ``"up"``, ``"down"`` or ``"stochastic"``.
        overflow : ``"saturate"`` to the nearest finite value, or ``"infinity"`` or ``"nan"`` where the format has one.
        seed : seed or generator of ``"stochastic"``.

        Raises
        ------
        InputError : on an unknown rounding or overflow, or on a NaN that the format cannot hold.
        """
        x = np.asarray(x, dtype=np.float64)
        encoding = ENCODINGS[self.encoding]
        beyond = self._beyond(overflow)
        missing = np.isnan(x)
        if self.nan is None and missing.any():
            raise InputError(f"NaN cannot be encoded in {self.name}, which has no NaN")

        negative = np.signbit(x)
        magnitude, fraction = encoding.split(self, np.where(np.isfinite(x), np.abs(x), 0.0))
        magnitude = magnitude + rule(rounding, seed)(fraction, magnitude % 2 == 1, negative)
        limit = np.where(negative, self._largest_negative, self._largest)
        magnitude = np.where((magnitude > limit) | np.isinf(x), limit if beyond is None else beyond, magnitude)

        if encoding.twos_complement:
            codes = np.where(negative, -magnitude, magnitude) & ((1 << self.bits) - 1)
        else:
            keeps_sign = negative & ((magnitude != 0) | (self.specials != "fnuz"))
            codes = magnitude | np.where(keeps_sign, self._sign, 0)
        return np.where(missing, self.nan or 0, codes).astype(self.dtype)

    def integers(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Return the codes of an integer format as signed int64, without its fraction bits.

        Raises
        ------
        InputError : if the format is not an integer format, or as `decode` does.
        """
        if self.encoding != "integer":
            raise InputError(f"{self.name} is not an integer format; decode its codes instead")
        codes = self._checked(codes).astype(np.int64)
        return codes - ((codes & self._sign) << 1)

    def _beyond(self, overflow: str) -> int | None:
        """Return the code that replaces what overflows; None stands for the nearest finite value."""
        choices = {"saturate": None, "infinity": self.infinity, "nan": self.nan}
        if overflow not in choices:
            raise unknown("overflow", overflow, choices)
        if overflow != "saturate" and choices[overflow] is None:
            raise InputError(f"{self.name} has no {overflow}; overflow can be 'saturate'")
        return choices[overflow]

    def _checked(self, codes: ArrayLike) -> NDArray:
        codes = np.asarray(codes)
        if codes.dtype.kind not in "iu":
            raise InputError(f"codes of {self.name} must be integers, not {codes.dtype}")
        if codes.size and not 0 <= codes.min() <= codes.max() < 1 << self.bits:
            wrong = codes.min() if codes.min() < 0 else codes.max()
            raise InputError(f"code {wrong} does not fit the {self.bits} bits of {self.name}")
        return codes
