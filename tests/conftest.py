"""Options of the test suite."""

from __future__ import annotations

import hypothesis

# Examples are the same on every machine and every run; a shared machine may be slow, which is no defect.
hypothesis.settings.register_profile("dyad", derandomize=True, deadline=None)
hypothesis.settings.load_profile("dyad")
