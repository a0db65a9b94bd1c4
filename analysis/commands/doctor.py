"""`dyad doctor`."""

from __future__ import annotations

from ..terminal import Json, report, show


def doctor(*, json: Json = None) -> int:
    """Say what is installed, what is missing and how to get it.

    Parameters
    ----------
    json
        Also write the result to this file: `checks`, a list of `name`, `required`, `version`, `advice`; and `ready`.

    Returns
    -------
    int
        1 if anything is missing that every simulation needs, else 0.
    """
    from ...hw.doctor import checks

    found = checks()
    ready = all(check.version is not None for check in found if check.required)
    rows = []
    for check in found:
        state = "present" if check.version else "missing" if check.required else "optional"
        rows.append((check.name, state, check.version, None if check.version else check.advice))
    show(("name", "state", "version", "how to get it"), rows)
    report(json, {"ready": ready, "checks": [check._asdict() for check in found]})
    return 0 if ready else 1
