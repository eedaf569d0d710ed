"""The command line: it parses, calls the tasks, and prints; all else is elsewhere."""

import os
import sys
from collections.abc import Sequence

# What an installation without the extras lacks.
EXTRAS = ("typer", "click", "rich", "torch")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code: 0, 2 for bad input (one line on stderr), 130 after Ctrl-C.

    1 where doctor finds a problem, or where the reader of the output has left.

    Args:
        argv: the arguments without the program's name; by default those of the process.
    """
    _opened()
    try:
        from recurra.cli.app import run

        code = run(argv)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in EXTRAS:
            raise
        print(f'recurra: {error.name} is not installed; run: pip install "recurra[cli,torch]"', file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("recurra: interrupted", file=sys.stderr)
        code = 130
    return _flushed(code)


def _opened() -> None:
    """Have somewhere to write, where the caller has closed stdout or stderr."""
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def _flushed(code: int) -> int:
    """Have the output arrive; if it cannot, have the interpreter not complain at its end."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if code or isinstance(error, BrokenPipeError):  # its reader has left, or more is wrong already
            return code or 1
        print(f"recurra: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    return code
