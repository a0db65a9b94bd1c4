"""Proofs by name: what each one shows, how far, and the defect that it has been seen to find."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple

from dyad.hw.formal import Problem


class Bug(NamedTuple):
    """A defect to plant: in the source of a module, `right` reads `wrong`.

    `right` must occur exactly once, so that a change of the source cannot quietly disarm the proof.
    """

    module: ModuleType
    right: str
    wrong: str

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Run the module's changed source in the module for the time of a `with` block."""
        source = inspect.getsource(self.module)
        assert source.count(self.right) == 1, f"{self.module.__name__} has {source.count(self.right)} x {self.right!r}"
        names = vars(self.module)
        before = dict(names)
        try:
            exec(compile(source.replace(self.right, self.wrong), str(self.module.__file__), "exec"), names)
            yield
        finally:
            names.clear()
            names.update(before)


class Proof(NamedTuple):
    """What to prove.

    Attributes
    ----------
    build : returns the problem; its docstring's first line is the claim, a line that starts with "Given:" what is
        assumed.
    depth : cycles that the proof looks at.
    unbounded : whether it holds for any number of cycles.
    slow : whether it takes more than a few seconds.
    solver : the quicker one for it.
    bug : a defect with which it must fail.
    """

    build: Callable[[], Problem]
    depth: int
    unbounded: bool
    slow: bool
    solver: str
    bug: Bug

    @property
    def claim(self) -> str:
        return (inspect.getdoc(self.build) or "").split("\n\n")[0].replace("\n", " ")

    @property
    def given(self) -> str:
        paragraphs = (inspect.getdoc(self.build) or "").split("\n\n")
        return " ".join(p.removeprefix("Given: ").replace("\n", " ") for p in paragraphs if p.startswith("Given: "))


PROOFS: dict[str, Proof] = {}


def markdown() -> str:
    """Return the proofs as a table."""
    lines = ["| proof | shows | given | for | found when planted |", "|---|---|---|---|---|"]
    for name, each in PROOFS.items():
        runs = "every run" if each.unbounded else f"the first {each.depth} cycles"
        bug = f"`{each.bug.right}` → `{each.bug.wrong}`".replace("|", "\\|")
        lines.append(f"| `{name}` | {each.claim} | {each.given} | {runs} | {bug} |")
    return "\n".join(lines) + "\n"


def proof(
    depth: int, bug: Bug, *, unbounded: bool = True, slow: bool = False, solver: str = "yices"
) -> Callable[[Callable[[], Problem]], Callable[[], Problem]]:
    """Enter the decorated function, which returns a problem, under its own name."""

    def enter(build: Callable[[], Problem]) -> Callable[[], Problem]:
        assert build.__name__ not in PROOFS
        PROOFS[build.__name__] = Proof(build, depth, unbounded, slow, solver, bug)
        return build

    return enter
