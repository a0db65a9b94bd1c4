"""Accelerator files: what comes with dyad is sound, and a bad file is answered with file, line, key and value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dyad.models import accelerator
from dyad.models.accelerator import Memory, Tile
from dyad.models.errors import InputError

TINY = (accelerator.FOLDER / "tiny.yaml").read_text()


def test_the_three_that_come_with_dyad() -> None:
    assert accelerator.names() == ["edge", "icebreaker", "lut", "mx", "server", "tiny", "ulx3s", "xr_npe"]
    edge, server = accelerator.load("edge"), accelerator.load("server")
    assert (edge.tile.m, edge.tile.n, edge.k, edge.buffers.total, edge.memory.bytes_per_cycle) == (
        16,
        16,
        4,
        512 * 1024,
        16,
    )
    assert (server.tile.m, server.tile.n, server.k, server.buffers.total, server.memory.bytes_per_cycle) == (
        64,
        64,
        8,
        4 * 1024 * 1024,
        256,
    )
    assert edge.peak_macs == 1024
    assert edge.seconds(500_000_000) == 1.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tile: {m: 4", "tile: {m: four", ":4: tile.m: 'four': input should be a valid integer"),
        ("tile: {m: 4, ", "tile: {", ":4: tile.m: is missing"),
        ("drain: 1", "drian: 1", ":4: tile.drian: unknown key; known: m, n, drain"),
        ("queue: 4", "queue: 1", ":8: queue: 1: input should be greater than or equal to 2"),
        ("clock_mhz: 50", "clock_mhz: 0", ":7: clock_mhz: 0: input should be greater than 0"),
        ("latency: 8", "latency: [", ":6: not YAML: expected the node content"),
        ("name: mixpe", "name: mixpi", ":3: unknown processing element 'mixpi'; did you mean mixpe, mx?"),
        ("name: tiny", "name: 2024-13-45", ": not YAML: month must be in 1..12"),
        ("clock_mhz: 50", "clock_mhz: .inf", ":7: clock_mhz: inf: input should be a finite number"),
        ("tile: {m: 4, n: 4, drain: 1}", "tile: 3", ":4: tile: 3: should be a mapping with the keys m, n, drain"),
        ("drain: 1", "drain: 1, m: 8", ":4: m: this key is there twice"),
        ("lanes: 2", "lanes: 3", ":3: pe.lanes = 3 is not a power of two"),
        ("tile: {m: 4", "tile: {m: 8192", ":4: tile.m = 8192 is more than the 4096 rows that an instruction can name"),
        (
            "weight: 8192",
            "weight: 1048576",
            ":5: buffers.weight = 1048576 bytes holds 262144 words in a bank, more than the 65536 that",
        ),
        ("m: 4", "m: 3", ":4: tile.m = 3 is not a power of two"),
        ("drain: 1", "drain: 8", ":4: tile.drain = 8 is more than the tile's m = 4 rows"),
        (
            "bytes_per_cycle: 4",
            "bytes_per_cycle: 1",
            ":6: memory.bytes_per_cycle = 1 is less than the 2 bytes of the k = 2 lanes",
        ),
        (
            "bytes_per_cycle: 4",
            "bytes_per_cycle: 8",
            ":6: memory.bytes_per_cycle = 8 does not divide the weight word of 4 bytes of a tile of n = 4 columns and "
            "k = 2 lanes",
        ),
        ("output: 2048", "output: 16", ":5: buffers.output = 16 bytes holds 1 words; it must hold at least 2"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    assert TINY.count(old) == 1
    path.write_text(TINY.replace(old, new))
    with pytest.raises(InputError) as error:
        accelerator.load(path)
    assert str(error.value).startswith(f"{path}{message}")
    assert "\n" not in str(error.value)


def test_files_that_are_no_accelerators(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown accelerator 'edgy'; did you mean edge"):
        accelerator.load("edgy")
    with pytest.raises(InputError, match=r"missing\.yaml: cannot be read: No such file or directory"):
        accelerator.load(tmp_path / "missing.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(InputError, match="an accelerator file is a mapping with the keys name, pe, tile"):
        accelerator.load(tmp_path / "list.yaml")


def test_a_file_by_its_path_equals_the_one_by_its_name() -> None:
    by_path = accelerator.load(accelerator.FOLDER / "edge.yaml")
    assert by_path == accelerator.load("edge")
    assert by_path.source.endswith("edge.yaml")


def test_parts_are_checked_without_a_file_too() -> None:
    tiny = accelerator.load("tiny")
    with pytest.raises(InputError, match=r"queue = 1: a unit's queue holds at least 2 instructions"):
        replace(tiny, queue=1)
    with pytest.raises(InputError, match=r"clock_mhz = -1 is not positive"):
        replace(tiny, clock_mhz=-1)
    with pytest.raises(InputError, match=r"memory.latency = -1 is negative"):
        Memory(4, -1, 0)
    with pytest.raises(InputError, match=r"tile.n = 0 is not a power of two"):
        Tile(4, 0)


@pytest.mark.parametrize(
    ("offset", "length", "beats"), [(0, 1, 1), (0, 4, 1), (0, 5, 2), (3, 1, 1), (3, 2, 2), (5, 8, 3)]
)
def test_beats_count_from_the_beat_that_the_run_starts_in(offset: int, length: int, beats: int) -> None:
    assert Memory(4, 0, 0).beats(offset, length) == beats
