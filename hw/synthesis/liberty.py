"""Reads Liberty, the text form of cell libraries: groups with arguments, which hold attributes and other groups.

The syntax is that of the Liberty user guide: ``name : value ;``, ``name (values) ;`` and ``name (arguments) { ... }``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ...models.errors import InputError

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_BETWEEN = re.compile(r"[\s;\\]*")
_STATEMENT = re.compile(
    r"""
    (?P<close> \} )
    | (?P<name> [\w.]+ ) \s*
      (?: : \s* (?P<value> "[^"]*" | [^;\n{}]* )
        | \( (?P<arguments> (?: "[^"]*" | [^"()] )*+ ) \) \s* (?P<open> \{ )? )
    """,
    re.VERBOSE,
)


@dataclass
class Group:
    """A group: its name and arguments, its attributes as they are written but for quotes, and the groups in it."""

    name: str
    arguments: list[str]
    attributes: dict[str, str] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def all(self, name: str) -> list[Group]:
        """Return the groups of this name."""
        return [group for group in self.groups if group.name == name]

    def first(self, name: str) -> Group | None:
        """Return the first group of this name, or None."""
        return next((group for group in self.groups if group.name == name), None)

    def number(self, name: str, default: float = 0.0) -> float:
        """Return an attribute as a number.

        Raises
        ------
        InputError : if it is none.
        """
        text = self.attributes.get(name)
        try:
            return default if text is None else float(text)
        except ValueError:
            raise InputError(f"{name} of {self.name} {' '.join(self.arguments)} is {text!r}, not a number") from None


def parse(text: str, source: str) -> Group:
    """Return the library group of a Liberty file.

    Parameters
    ----------
    text : content of the file.
    source : what to call it in errors.

    Raises
    ------
    InputError : if the text is not Liberty; with its line.
    """
    # A comment leaves its line breaks behind, so that lines keep their numbers.
    text = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text)
    file = Group("file", [])
    open_groups = [file]
    position = 0
    while (position := _end(_BETWEEN.match(text, position))) < len(text):
        statement = _STATEMENT.match(text, position)
        group = open_groups[-1]
        if statement is None or (statement["close"] and group is file):
            line = text.count("\n", 0, position) + 1
            found = text[position:].splitlines()[0].strip()[:40]
            raise InputError(f"{source}, line {line}: {found!r} is not Liberty")
        if statement["close"]:
            open_groups.pop()
        elif statement["open"]:
            arguments = [argument.strip('" \t') for argument in statement["arguments"].split(",")]
            open_groups.append(Group(statement["name"], arguments))
            group.groups.append(open_groups[-1])
        else:
            group.attributes[statement["name"]] = (statement["value"] or statement["arguments"] or "").strip('" \t')
        position = statement.end()
    if len(open_groups) > 1:
        raise InputError(f"{source} ends within {open_groups[-1].name} ({', '.join(open_groups[-1].arguments)})")
    library = file.first("library")
    if library is None:
        raise InputError(f"{source} is not a Liberty file: it holds no library")
    return library


def _end(match: re.Match[str] | None) -> int:
    assert match is not None  # the pattern also matches nothing
    return match.end()


def numbers(text: str) -> list[float]:
    """Return the numbers of an attribute such as `index_1`, or of one row after the other of `values`."""
    return [float(number) for number in re.split(r'[\s,"\\]+', text.strip('\\", \t\n')) if number]
