"""The command line: `dyad` and its subcommands, one function each in `analysis.commands`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import metadata

from cyclopts import App, CycloptsError

from ..models.errors import InputError
from .commands.bitstream import bitstream
from .commands.characterize import characterize
from .commands.costs import costs
from .commands.crosscheck import crosscheck
from .commands.demo import demo
from .commands.doctor import doctor
from .commands.formats import formats
from .commands.pes import pes
from .commands.simulate import simulate
from .commands.synth import synth
from .commands.verify import verify
from .commands.verilog import verilog

app = App(
    name="dyad",
    help="Co-design of mixed-precision neural-network accelerators: value, circuit, cost and schedule.",
    version=lambda: metadata.version("dyad"),
)
COMMANDS = (bitstream, characterize, costs, crosscheck, demo, doctor, formats, pes, simulate, synth, verify, verilog)
for command in COMMANDS:
    app.command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process.

    A command returns its exit code (None: 0). Bad input, from the arguments down to the contents of files, ends as one
    line on stderr and exit code 2, a tool of synthesis that fails as one line and exit code 1. Any other exception is a
    defect of dyad and keeps its traceback. Cyclopts turns an interruption into exit code 130.
    """
    tokens = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except (InputError, CycloptsError) as error:
        print(f"dyad: error: {' '.join(str(error).split())}", file=sys.stderr)
        code = 2
    except RuntimeError as error:
        from ..hw.synthesis.yosys import SynthesisError

        if not isinstance(error, SynthesisError):
            raise
        print(f"dyad: error: {' '.join(str(error).split())}", file=sys.stderr)
        code = 1
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)
