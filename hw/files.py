"""Writing files so that a reader never finds half of one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..models.errors import InputError


def check(*paths: Path | None) -> None:
    """Raise `InputError` for the first of `paths` that cannot be written: better before long work than after it."""
    for path in paths:
        if path is None:
            continue
        if path.is_dir():
            raise InputError(f"cannot write {path}: Is a directory")
        if not path.parent.is_dir():
            reason = "Not a directory" if path.parent.exists() else "No such file or directory"
            raise InputError(f"cannot write {path}: {reason}")
        if not os.access(path.parent, os.W_OK):
            raise InputError(f"cannot write {path}: Permission denied")


def write(path: Path, text: str | Iterable[str]) -> None:
    """Write a text file in one step: whatever happens, `path` holds its old content or all of the new.

    Parameters
    ----------
    path : the file.
    text : its content, whole or in pieces.

    Raises
    ------
    InputError : if nothing can be written there.
    """
    with _replaced(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines([text] if isinstance(text, str) else text)


def copy(source: Path, path: Path) -> None:
    """Copy a file in one step, see `write`."""
    with _replaced(path) as temporary:
        shutil.copyfile(source, temporary)


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """Give a temporary file in whose place `path` is put at the end, if nothing fails."""
    if not path.name:
        raise InputError(f"cannot write {path}: Is a directory")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            yield temporary
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
