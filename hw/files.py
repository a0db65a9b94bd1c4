"""Writing files so that a reader never finds half of one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..models.errors import InputError


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
    if not path.name:
        raise InputError(f"cannot write {path}: Is a directory")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        file = temporary.open("w", encoding="utf-8")
        try:
            with file:
                file.writelines([text] if isinstance(text, str) else text)
            temporary.replace(path)
        except BaseException:
            temporary.unlink()
            raise
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
