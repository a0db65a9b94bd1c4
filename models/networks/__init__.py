"""Networks found by name or by path: their shapes alone, or with real weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, unknown
from ..network import Network
from .language import bitnet_3b, llama2_7b
from .resnet import resnet18

if TYPE_CHECKING:
    from .floating import FloatNetwork

__all__ = ["load", "load_float", "names"]

_BUILDERS: dict[str, Callable[..., Network]] = {
    "resnet18": resnet18,
    "llama2-7b": llama2_7b,
    "bitnet-3b": bitnet_3b,
}
_FILES = {name: Path(__file__).with_name(f"{name.replace('-', '_')}.onnx") for name in ("digits-cnn", "digits-mlp")}


def names() -> list[str]:
    """Return the short names that `load` takes."""
    return [*_FILES, *_BUILDERS]


def load(name: str | Path, **options: Any) -> Network:
    """Return the shapes of a network.

    Parameters
    ----------
    name : one of `names`, or the path of an ``.onnx`` file.
    **options : ``batch``, ``weight``, ``group`` and ``zero_point`` for every network; also ``phase`` and ``tokens`` for
        the language models. `resnet18`, `llama2_7b` and `graph.network` say what they mean and their defaults.

    Raises
    ------
    InputError : if there is no such network, it has no such option, or its file holds what no layer can describe.
    """
    builder = _BUILDERS.get(str(name))
    if builder is None:
        path = _path(name)
        # The ONNX package takes longer to import than everything else here together.
        from .graph import network

        builder = partial(network, path)
    allowed = signature(builder).parameters
    for option in options:
        if option not in allowed:
            raise unknown(f"option of network {str(name)!r}:", option, allowed)
    return builder(**options)


def load_float(name: str | Path) -> FloatNetwork:
    """Return a network with its real weights, out of an ONNX file that is a chain of layers.

    Raises
    ------
    InputError : if there is no such file, or it holds more than a chain of Conv, Gemm, MatMul, Add, Relu and Flatten.
    """
    if str(name) in _BUILDERS:
        raise InputError(f"network {str(name)!r} is known by its shapes only; {', '.join(_FILES)} have weights")
    from .weights import load as read

    return read(_path(name))


def _path(name: str | Path) -> Path:
    path = _FILES.get(str(name), Path(name))
    if path.suffix != ".onnx":
        raise unknown("network", str(name), names())
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    return path
