"""The Boolean functions of Liberty: as truth tables, and in Verilog."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

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


def verilog(function: str, operands: Mapping[str, str]) -> str:
    """Return a function as an expression of Verilog.

    Parameters
    ----------
    function : Boolean expression, see `truth`.
    operands : what stands for its operands.

    Raises
    ------
    KeyError : if it has other operands or cannot be read.

    >>> verilog("!(A*B)+C'", {"A": "a", "B": "b", "C": "c"})
    "((1'b1 ^ (a & b)) | (c ^ 1'b1))"
    """
    values = {"0": "1'b0", "1": "1'b1", **operands}
    return _Reader(_TOKEN.findall(function), {name: _Text(text) for name, text in values.items()}).whole()


class _Text(str):
    """An expression of Verilog, whose operators make longer ones."""

    def __and__(self, other: str) -> _Text:
        return _Text(f"({self} & {other})")

    def __or__(self, other: str) -> _Text:
        return _Text(f"({self} | {other})")

    def __xor__(self, other: str) -> _Text:
        return _Text(f"({self} ^ {other})")


class _Reader:
    """Recursive descent, one method for each level of precedence."""

    def __init__(self, tokens: list[str], values: Mapping[str, Any]) -> None:
        self._tokens = [*tokens, ""]
        self._values = values

    def whole(self) -> Any:
        result = self._sum()
        if self._tokens != [""]:
            raise KeyError(self._tokens[0])
        return result

    def _sum(self) -> Any:
        result = self._product()
        while self._tokens[0] in ("+", "|"):
            self._tokens.pop(0)
            result |= self._product()
        return result

    def _product(self) -> Any:
        result = self._difference()
        while self._tokens[0] not in ("", "+", "|", ")"):
            if self._tokens[0] in ("*", "&"):
                self._tokens.pop(0)
            result &= self._difference()
        return result

    def _difference(self) -> Any:
        result = self._operand()
        while self._tokens[0] == "^":
            self._tokens.pop(0)
            result ^= self._operand()
        return result

    def _operand(self) -> Any:
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
