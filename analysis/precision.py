"""The options `--weight` and `--group`, which several commands have."""

from __future__ import annotations

from typing import Any

from ..models.errors import InputError


def precision(weight: str | None, group: int | None) -> dict[str, Any]:
    """Return the options of a network that a block format of weights stands for; none for a format of elements.

    Raises
    ------
    InputError : if there is no such format, it says nothing of groups or channels, or both name a group.
    """
    from ..models import formats

    if weight is not None and isinstance(formats.parse(weight), formats.BlockFormat):
        if group is not None:
            raise InputError(f"--group {group} contradicts --weight {weight}, which says how weights share scales")
        format = formats.weights(weight)
        return {"weight": format.element.name, "group": format.group, "zero_point": format.zero_point}
    if group is not None and group < 1:
        raise InputError(f"--group {group} must be at least 1")
    return {}
