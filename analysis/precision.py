"""The options `--weight`, `--group` and `--activation`, which several commands have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..models.errors import InputError

if TYPE_CHECKING:
    from ..models.network import Network


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
        format = formats.parse(weight)
        if isinstance(format, formats.BlockFormat) and format.block and format.recipe != "integers":
            return {"weight": weight}  # a format of which the processing element knows the blocks
        format = formats.weights(weight)
        return {"weight": format.element.name, "group": format.group, "zero_point": format.zero_point}
    if group is not None and group < 1:
        raise InputError(f"--group {group} must be at least 1")
    return {}


def with_activations(network: Network, activation: str) -> Network:
    """Return a network whose layers take activations of another format, and give fp16 or that format in place of int8.

    What else is int8, cached keys and values for instance, is in that format too where it is one that cells multiply
    with itself only: blocks, posits and floats of 8 bits or less.

    Raises
    ------
    InputError : if there is no such format.
    """
    from ..models import formats
    from ..models.program.isa import OUTPUTS

    format = formats.parse(activation)
    alone = isinstance(format, formats.BlockFormat) or format.encoding == "posit"
    alone = alone or (format.bits <= 8 and format.name != "int8")
    output = activation if activation in OUTPUTS else "fp16"
    layers = (
        replace(
            layer,
            activation=activation,
            weight=activation if alone and layer.weight == "int8" else layer.weight,
            output=output if layer.output == "int8" else layer.output,
        )
        for layer in network.layers
    )
    return replace(network, layers=tuple(layers))
