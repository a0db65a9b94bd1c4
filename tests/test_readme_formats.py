"""The table of formats in the README is what `dyad formats --markdown` prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dyad.analysis import format_report
from dyad.models import formats

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- formats -->", "<!-- /formats -->"


def test_the_table_has_every_format():
    lines = format_report.markdown(formats.names()).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    named = {line.split(" | ")[0].removeprefix("| ") for line in lines[2:]}
    assert {name for name in formats.names() if not name.startswith(("int", "uint"))} <= named


def test_the_readme_has_the_table():
    text = README.read_text(encoding="utf-8") if README.exists() else ""
    if BEGIN not in text:
        pytest.skip(f"no {BEGIN} in the README")
    table = text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()
    # A process of its own, in which no other test has added formats.
    command = [sys.executable, "-c", "from dyad.analysis.cli import main; main()", "formats", "--markdown"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert table == printed.strip(), "run `dyad formats --markdown` and copy its output"
