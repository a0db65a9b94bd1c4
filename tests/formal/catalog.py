"""Proofs by name: what each one shows, how far, and the defect that it has been seen to find."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple

import pytest

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
        """Put what the changed source defines in the place of what it is, in every circuit, for a `with` block."""
        source = inspect.getsource(self.module)
        assert source.count(self.right) == 1, f"{self.module.__name__} has {source.count(self.right)} x {self.right!r}"
        wrong = dict(vars(self.module))
        exec(compile(source.replace(self.right, self.wrong), str(self.module.__file__), "exec"), wrong)
        changed = {id(right): wrong[name] for name, right in vars(self.module).items() if wrong[name] is not right}
        with pytest.MonkeyPatch.context() as patch:
            for module in [each for name, each in sys.modules.items() if name.startswith("dyad.rtl.")]:
                for name, value in list(vars(module).items()):
                    if id(value) in changed:
                        patch.setattr(module, name, changed[id(value)])
            yield


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
