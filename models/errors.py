"""The one exception that means "the input is wrong", and the wording of near misses."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Bad input: one line that names the offending value and what would be right.

    The command line prints it and exits with code 2. Any other exception is a defect of dyad.
    """


def unknown(kind: str, name: str, choices: Iterable[str]) -> InputError:
    """Return the error for a name that is not among `choices`, listing the near misses.

    Parameters
    ----------
    kind : what the name was meant to name, such as ``"network"``.
    name : the offending name.
    choices : every name that would have been right.
    """
    known = sorted(choices)
    close = get_close_matches(name.lower(), known, n=4, cutoff=0.4)
    hint = f"did you mean {', '.join(close)}?" if close else f"known: {', '.join(known)}"
    return InputError(f"unknown {kind} {name!r}; {hint}")
