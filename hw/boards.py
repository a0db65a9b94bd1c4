"""Boards that an accelerator can be put on, and what goes around it there: a clock, and the pins of a serial line."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Const, Elaboratable, Instance, Module, ResetSignal, Signal

from ..models.errors import InputError, unknown
from ..models.system import System
from ..rtl.system import SerialSystem


class Board(NamedTuple):
    """A board.

    Attributes
    ----------
    name : short name.
    platform : module and class that describe it in amaranth-boards.
    family : of its FPGA, as in `synthesis.fpga.FAMILIES`.
    crystal_mhz : frequency of its oscillator.
    capacity : what the FPGA has of each kind of resource.
    accelerator : what is put on it if nothing else is asked for.
    memory_bytes, instructions : of the system, on the chip.
    baud : of the serial line.
    """

    name: str
    platform: str
    family: str
    crystal_mhz: float
    capacity: dict[str, int]
    accelerator: str
    memory_bytes: int
    instructions: int
    baud: int

    def load(self) -> Any:
        """Return its description in amaranth-boards.

        Raises
        ------
        InputError : if that is not installed.
        """
        module, name = self.platform.split(":")
        try:
            return getattr(import_module(f"amaranth_boards.{module}"), name)()
        except ModuleNotFoundError:
            raise InputError('amaranth-boards is not installed; get it with pip install "dyad[boards]"') from None


_ECP5_85 = {"lut4": 83640, "ff": 83640, "dsp": 156, "bram": 208}
_UP5K = {"lut4": 5280, "ff": 5280, "dsp": 8, "bram": 30}
BOARDS = {
    board.name: board
    for board in (
        Board("ulx3s", "ulx3s:ULX3S_85F_Platform", "ecp5", 25.0, _ECP5_85, "ulx3s", 131072, 2048, 1_000_000),
        Board("ecpix5", "ecpix5:ECPIX585Platform", "ecp5", 100.0, _ECP5_85, "ulx3s", 131072, 2048, 1_000_000),
        Board("icebreaker", "icebreaker:ICEBreakerPlatform", "ice40", 12.0, _UP5K, "icebreaker", 32768, 64, 1_000_000),
    )
}


def get(name: str) -> Board:
    """Return a board by name.

    Raises
    ------
    InputError : if it is unknown.
    """
    if name not in BOARDS:
        raise unknown("board", name, BOARDS)
    return BOARDS[name]


class OnBoard(Elaboratable):
    """A `SerialSystem` with the clock and the serial line of a board; its reset follows power-on.

    Parameters
    ----------
    board : the board.
    system : the accelerator and its memory.

    Raises
    ------
    InputError : if the accelerator's clock cannot be made of the board's, or is too slow for its serial line.
    """

    def __init__(self, board: Board, system: System) -> None:
        self._board, self._system = board, system
        self._clock_mhz = system.accelerator.clock_mhz
        self._pll = dividers(board, self._clock_mhz)
        self._divisor = round(self._clock_mhz * 1e6 / board.baud)
        if self._divisor < 4:
            raise InputError(
                f"clock_mhz = {self._clock_mhz:g} is too slow for {board.baud} bits a second: 4 cycles a bit"
            )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = ClockDomain()
        crystal, clock = platform.request(platform.default_clk).i, Signal()
        if self._pll is None:
            m.d.comb += clock.eq(crystal)
        else:
            m.submodules.pll = _ecp5_pll(crystal, clock, self._board.crystal_mhz, *self._pll)
        platform.add_clock_constraint(clock, self._clock_mhz * 1e6)
        m.d.comb += ClockSignal().eq(clock)
        # 16 cycles of reset after configuration, which sets registers to 0.
        waited = Signal(4, reset_less=True)
        m.domains.power_on = ClockDomain(reset_less=True, local=True)
        m.d.comb += [ClockSignal("power_on").eq(clock), ResetSignal().eq(~waited.all())]
        m.d.power_on += waited.eq(Cat(waited + ~waited.all()))
        uart = platform.request("uart", 0)
        m.submodules.system = system = SerialSystem(self._system, self._divisor)
        m.d.comb += [system.rx.eq(uart.rx.i), uart.tx.o.eq(system.tx)]
        return m


def dividers(board: Board, mhz: float) -> tuple[int, int, int] | None:
    """Return how an ECP5's PLL makes a frequency: dividers of input, feedback and output; None if it is the crystal's.

    Its oscillator runs at 400 to 800 MHz, and the phase detector at 10 MHz or more (Lattice, FPGA-DS-02012).

    Raises
    ------
    InputError : if it cannot; with the nearest frequency that it can make.
    """
    crystal = board.crystal_mhz
    if mhz == crystal:
        return None
    if board.family != "ecp5":
        raise InputError(f"clock_mhz = {mhz:g}: {board.name} runs at its crystal's {crystal:g} MHz")
    found = [
        (abs(crystal / low * feedback - mhz), low, feedback, output)
        for low in range(1, int(crystal / 10) + 1)
        for feedback in range(1, 81)
        for output in range(1, 129)
        if 400 <= crystal / low * feedback * output <= 800
    ]
    error, low, feedback, output = min(found)
    if error > 1e-6:
        raise InputError(
            f"clock_mhz = {mhz:g} cannot be made of {crystal:g} MHz on {board.name}; {crystal / low * feedback:g} can"
        )
    return low, feedback, output


def _ecp5_pll(clock: Signal, result: Signal, mhz: float, low: int, feedback: int, output: int) -> Instance:
    return Instance(
        "EHXPLLL",
        a_FREQUENCY_PIN_CLKI=f"{mhz:g}",
        a_FREQUENCY_PIN_CLKOP=f"{mhz / low * feedback:g}",
        p_CLKI_DIV=low,
        p_CLKFB_DIV=feedback,
        p_CLKOP_DIV=output,
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOP_CPHASE=output // 2,
        p_CLKOP_FPHASE=0,
        p_FEEDBK_PATH="CLKOP",
        i_CLKI=clock,
        i_CLKFB=result,
        i_RST=Const(0),
        i_STDBY=Const(0),
        i_PHASESEL0=Const(0),
        i_PHASESEL1=Const(0),
        i_PHASEDIR=Const(0),
        i_PHASESTEP=Const(0),
        i_PHASELOADREG=Const(0),
        i_PLLWAKESYNC=Const(0),
        i_ENCLKOP=Const(1),
        o_CLKOP=result,
    )
