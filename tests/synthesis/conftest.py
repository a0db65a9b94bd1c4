"""The tiny library, and the command on it."""

from __future__ import annotations

import pytest

from dyad.analysis import cli
from dyad.hw.synthesis.library import Library
from dyad.tests.synthesis.surroundings import TINY


@pytest.fixture
def tiny():
    return Library.parse(TINY, "tiny.lib")


@pytest.fixture
def synth(capsys, tmp_path):
    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            cli.main(["synth", *(str(argument) for argument in arguments)])
        return end.value.code or 0, *capsys.readouterr()

    return run
