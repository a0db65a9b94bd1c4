"""Truth tables of the Boolean functions of Liberty."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TOKEN = re.compile(r"[\w\[\]]+|[!'^*&+|()]")


def truth(function: str, pins: Sequence[str]) -> int | None:
    """Return the truth table of a function: bit i is its value where pin p is bit p of i.

    Parameters
    ----------
    function : Boolean expression as Liberty writes it. In falling precedence: `!` before or `'` after an operand; `^`;
        `*`, `&` or nothing between operands; `+` or `|`.
    pins : its inputs.

    Returns
    -------
    int
        None if the function has operands beside `pins`, such as the state of a flip-flop, or cannot be read.

    >>> bin(truth("!(A*B)", ["A", "B"]))
    '0b111'
    """
    rows = 1 << len(pins)
    values = {"0": 0, "1": (1 << rows) - 1}
    for index, pin in enumerate(pins):
        values[pin] = sum(1 << row for row in range(rows) if row >> index & 1)
    try:
        return _Reader(_TOKEN.findall(function), values).whole()
    except (KeyError, IndexError):
        return None


class _Reader:
    """Recursive descent, one method for each level of precedence."""

    def __init__(self, tokens: list[str], values: dict[str, int]) -> None:
        self._tokens = [*tokens, ""]
        self._values = values

    def whole(self) -> int:
        result = self._sum()
        if self._tokens != [""]:
            raise KeyError(self._tokens[0])
        return result

    def _sum(self) -> int:
        result = self._product()
        while self._tokens[0] in ("+", "|"):
            self._tokens.pop(0)
            result |= self._product()
        return result

    def _product(self) -> int:
        result = self._difference()
        while self._tokens[0] not in ("", "+", "|", ")"):
            if self._tokens[0] in ("*", "&"):
                self._tokens.pop(0)
            result &= self._difference()
        return result

    def _difference(self) -> int:
        result = self._operand()
        while self._tokens[0] == "^":
            self._tokens.pop(0)
            result ^= self._operand()
        return result

    def _operand(self) -> int:
        token = self._tokens.pop(0)
        if token == "!":
            return self._values["1"] ^ self._operand()
        if token == "(":
            result = self._sum()
            if self._tokens.pop(0) != ")":
                raise KeyError("(")
        else:
            result = self._values[token]
        while self._tokens[0] == "'":
            self._tokens.pop(0)
            result ^= self._values["1"]
        return result
