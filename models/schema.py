"""Accelerator files: YAML checked by a schema, with the file, the line and the key in every complaint."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from . import pe
from .accelerator import Accelerator, Buffers, Memory, Tile
from .errors import InputError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _ProcessingElement(_Strict):
    name: str
    lanes: int = Field(ge=1)
    group: int | None = Field(default=None, ge=1)
    accumulator_bits: int | None = Field(default=None, ge=0)
    activation: str | None = None
    format: str | None = None
    weight_bits: int | None = None
    serial: bool | None = None
    table_bits: int | None = None
    packed: bool | None = None
    integers: bool | None = None


class _Tile(_Strict):
    m: int = Field(ge=1)
    n: int = Field(ge=1)
    drain: int = Field(default=1, ge=1)


class _Buffers(_Strict):
    activation: int = Field(ge=1)
    weight: int = Field(ge=1)
    parameter: int = Field(ge=1)
    accumulator: int = Field(ge=1)
    output: int = Field(ge=1)


class _Memory(_Strict):
    bytes_per_cycle: int = Field(ge=1)
    latency: int = Field(default=0, ge=0)
    burst_overhead: int = Field(default=0, ge=0)


class _File(_Strict):
    name: str
    pe: _ProcessingElement
    tile: _Tile
    buffers: _Buffers
    memory: _Memory
    clock_mhz: float = Field(default=500.0, gt=0, strict=False, allow_inf_nan=False)
    queue: int = Field(default=8, ge=2)


def read(path: Path) -> Accelerator:
    """Return the accelerator that the YAML file at `path` describes.

    Raises
    ------
    InputError : one line with the file, the line, the key, the value and what would be right.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise InputError(f"{where}: not YAML: {getattr(error, 'problem', None) or error}") from None
    _no_twins(path, tree)
    if not isinstance(data, dict):
        raise InputError(f"{path}: an accelerator file is a mapping with the keys {', '.join(_File.model_fields)}")
    try:
        checked = _File.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = tuple(part for part in first["loc"] if isinstance(part, str))
        raise InputError(f"{path}:{_line(tree, key)}: {'.'.join(key)}: {_complaint(first, key)}") from None
    try:
        return Accelerator(
            name=checked.name,
            pe=pe.get(**checked.pe.model_dump(exclude_none=True)),
            tile=Tile(**checked.tile.model_dump()),
            buffers=Buffers(**checked.buffers.model_dump()),
            memory=Memory(**checked.memory.model_dump()),
            clock_mhz=checked.clock_mhz,
            queue=checked.queue,
            source=str(path),
        )
    except InputError as error:
        # Errors of the parts start with their key, those of the processing element do not.
        key = tuple(str(error).partition(" ")[0].split("."))
        line = _line(tree, key if key[0] in _File.model_fields else ("pe", "name"))
        raise InputError(f"{path}:{line}: {error}") from None


def _complaint(error: object, key: tuple[str, ...]) -> str:
    kind, message, value = error["type"], error["msg"], error["input"]  # type: ignore[index]
    if kind == "missing":
        return "is missing"
    if kind == "model_type":
        return f"{value!r}: should be a mapping with the keys {', '.join(_section(key).model_fields)}"
    if kind == "extra_forbidden":
        return f"unknown key; known: {', '.join(_section(key[:-1]).model_fields)}"
    return f"{value!r}: {message[0].lower()}{message[1:]}"


def _section(key: tuple[str, ...]) -> type[BaseModel]:
    """Return the schema of the mapping at `key`."""
    section: type[BaseModel] = _File
    for part in key:
        section = section.model_fields[part].annotation  # type: ignore[assignment]
    return section


def _no_twins(path: Path, node: yaml.Node | None) -> None:
    """Raise `InputError` if a mapping has a key twice, of which YAML would take the last."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for name, value in node.value:
        if name.value in seen:
            raise InputError(f"{path}:{name.start_mark.line + 1}: {name.value}: this key is there twice")
        seen.add(str(name.value))
        _no_twins(path, value)


def _line(node: yaml.Node | None, key: tuple[str, ...]) -> int:
    """Return the line of `key` in the document `node`, or of the innermost mapping that lacks it."""
    line = 1
    for part in key:
        if not isinstance(node, yaml.MappingNode):
            break
        for name, value in node.value:
            if name.value == part:
                line, node = name.start_mark.line + 1, value
                break
        else:
            break
    return line
