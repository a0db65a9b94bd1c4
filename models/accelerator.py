"""The accelerator: a tile of m x n cells of k lanes, its buffers, its memory and its clock.

Frozen dataclasses, checked on construction; `load` reads them from a YAML file through `schema`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .errors import InputError, unknown
from .pe import PE

FOLDER = Path(__file__).parent / "accelerators"

MOST_ROWS = 2**12
"""Rows of a tile, by the field `bank` of `load`."""

MOST_WORDS = 2**16
"""Words of a bank: what is narrowest among the fields of instructions that name words and bytes."""


def _power_of_two(name: str, value: int) -> None:
    if value < 1 or value & (value - 1):
        raise InputError(f"{name} = {value} is not a power of two")


@dataclass(frozen=True)
class Tile:
    """m x n cells; every cycle a row takes k activations and a column k weights; `drain` rows leave a cycle."""

    m: int
    n: int
    drain: int = 1

    def __post_init__(self) -> None:
        for name in ("m", "n", "drain"):
            _power_of_two(f"tile.{name}", getattr(self, name))
        if self.drain > self.m:
            raise InputError(f"tile.drain = {self.drain} is more than the tile's m = {self.m} rows")


@dataclass(frozen=True)
class Buffers:
    """Sizes of the on-chip buffers in bytes; programs use each as two halves."""

    activation: int
    weight: int
    parameter: int
    accumulator: int
    output: int

    @property
    def total(self) -> int:
        """Bytes of all buffers."""
        return self.activation + self.weight + self.parameter + self.accumulator + self.output


@dataclass(frozen=True)
class Memory:
    """The timing of the memory port, in cycles of the accelerator's clock.

    A request of n beats that is accepted in cycle t moves its beats in cycles t + burst_overhead + 1 + i, reads
    `latency` cycles later than that, i = 0 ... n - 1; the next request can be accepted in cycle
    t + burst_overhead + n. A beat is `bytes_per_cycle` bytes.
    """

    bytes_per_cycle: int
    latency: int
    burst_overhead: int

    def __post_init__(self) -> None:
        _power_of_two("memory.bytes_per_cycle", self.bytes_per_cycle)
        for name in ("latency", "burst_overhead"):
            if getattr(self, name) < 0:
                raise InputError(f"memory.{name} = {getattr(self, name)} is negative")

    def beats(self, offset: int, length: int) -> int:
        """Return the beats that `length` bytes take if they start `offset` bytes into a buffer."""
        return -(-(offset % self.bytes_per_cycle + length) // self.bytes_per_cycle)

    def occupied(self, beats: int) -> int:
        """Return the cycles from the acceptance of a request to that of the next."""
        return self.burst_overhead + beats


@dataclass(frozen=True)
class Accelerator:
    """One accelerator, complete.

    Parameters
    ----------
    name : short name.
    pe : the processing element of every cell, with its lanes k.
    tile, buffers, memory : see there.
    clock_mhz : clock frequency in MHz.
    queue : instructions that each unit's queue holds.

    Raises
    ------
    InputError : if the parts do not fit one another.
    """

    name: str
    pe: PE
    tile: Tile
    buffers: Buffers
    memory: Memory
    clock_mhz: float = 500.0
    queue: int = 8
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        beat = self.memory.bytes_per_cycle
        _power_of_two("pe.lanes", self.k)
        if self.clock_mhz <= 0:
            raise InputError(f"clock_mhz = {self.clock_mhz} is not positive")
        if self.queue < 2:
            raise InputError(f"queue = {self.queue}: a unit's queue holds at least 2 instructions")
        if self.k * self.pe.activation_bits % 8:
            raise InputError(
                f"pe.lanes = {self.k}: a row takes {self.k * self.pe.activation_bits} bits, not whole bytes"
            )
        if self.row_word > beat:
            raise InputError(
                f"memory.bytes_per_cycle = {beat} is less than the {self.row_word} bytes of the k = {self.k} lanes of "
                "activations that a row takes in a cycle"
            )
        if (bits := self.tile.n * self.k * self.pe.plane_bits) % 8:
            raise InputError(f"a tile of n = {self.tile.n} columns takes {bits} bits of weights, not whole bytes")
        for word, size in (("weight", self.weight_word), ("column", self.column_word)):
            if size % beat:
                raise InputError(
                    f"memory.bytes_per_cycle = {beat} does not divide the {word} word of {size} bytes of a tile of "
                    f"n = {self.tile.n} columns and k = {self.k} lanes"
                )
        if self.tile.m > MOST_ROWS:
            raise InputError(f"tile.m = {self.tile.m} is more than the {MOST_ROWS} rows that an instruction can name")
        for name, words in self.depths.items():
            size = getattr(self.buffers, name)
            if words < 2:
                raise InputError(f"buffers.{name} = {size} bytes holds {words} words; it must hold at least 2")
            if words > MOST_WORDS:
                raise InputError(
                    f"buffers.{name} = {size} bytes holds {words} words in a bank, more than the {MOST_WORDS} that an "
                    "instruction can name"
                )

    @property
    def k(self) -> int:
        """Lanes of a cell."""
        return self.pe.lanes

    @property
    def row_word(self) -> int:
        """Bytes of the activations that a row takes in a step."""
        return self.k * self.pe.activation_bits // 8

    @property
    def weight_word(self) -> int:
        """Bytes of the weights that the tile takes in a cycle."""
        return self.tile.n * self.k * self.pe.plane_bits // 8

    @property
    def column_word(self) -> int:
        """Bytes of a word of 32 bits for each column: parameters, accumulators, results."""
        return 4 * self.tile.n

    @property
    def depths(self) -> dict[str, int]:
        """Words of each buffer, in each of its banks."""
        beat, m, drain = self.memory.bytes_per_cycle, self.tile.m, self.tile.drain
        return {
            "activation": self.buffers.activation // (m * beat),
            "weight": self.buffers.weight // self.weight_word,
            "parameter": self.buffers.parameter // self.column_word,
            "accumulator": self.buffers.accumulator // (drain * self.column_word),
            "output": self.buffers.output // (drain * self.column_word),
        }

    @property
    def peak_macs(self) -> int:
        """Multiply-accumulates in a cycle, in the fastest mode."""
        return max(self.tile.m * self.tile.n * self.k * mode.packing // mode.interval for mode in self.pe.modes)

    def seconds(self, cycles: int) -> float:
        """Return the time that `cycles` take at the accelerator's clock, in seconds."""
        return cycles / (self.clock_mhz * 1e6)


def names() -> list[str]:
    """Return the short names of the accelerators that come with dyad."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name: str | Path) -> Accelerator:
    """Return the accelerator called `name`: a short name (see `names`) or the path of a YAML file.

    Raises
    ------
    InputError : unknown name, unreadable file, or a value that is wrong, with file, line and key.
    """
    from .schema import read  # pydantic takes a while to import, and not every command needs it

    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = FOLDER / f"{name}.yaml"
        if not path.exists():
            raise unknown("accelerator", str(name), names())
    return read(path)
