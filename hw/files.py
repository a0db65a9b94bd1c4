"""Writing files so that a reader never finds half of one."""

from __future__ import annotations

import os
from pathlib import Path

from ..models.errors import InputError


def write(path: Path, text: str) -> None:
    """Write a text file in one step: whatever happens, `path` holds its old content or all of the new.

    Raises
    ------
    InputError : if nothing can be written there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {error.strerror}") from None
