"""The command line: it parses arguments, calls the tasks and prints."""

import atexit
import gc
import os
import sys
from collections.abc import Sequence

from recurra.tasks.training.launch import is_first

# The packages that an installation without the extras lacks.
EXTRAS = ("typer", "click", "rich", "torch")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the arguments, without the program's name. Default: those of the process.

    Returns:
        the exit code: 0; 1 if doctor finds a problem, or if the reader of the output is gone; 2 for bad input, with
        one line on stderr; 130 after Ctrl-C.
    """
    _opened()
    atexit.register(_ended)
    try:
        from recurra.cli.app import run

        code = run(argv)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in EXTRAS:
            raise
        print(f'recurra: {error.name} is not installed; run: pip install "recurra[cli,torch]"', file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        if is_first():
            print("recurra: interrupted", file=sys.stderr)
        code = 130
    return _flushed(code)


def _ended() -> None:
    """Keep the collector from looking through all objects of torch at the end, for a second."""
    if "triton" not in sys.modules:  # it would call what is left over leaks, on stderr
        gc.freeze()


def _opened() -> None:
    """Open stdout and stderr on the null device, if the caller has closed them."""
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def _flushed(code: int) -> int:
    """Flush stdout and return the exit code; after a failure the interpreter's own flush must not fail again."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if code or isinstance(error, BrokenPipeError):  # the reader is gone, or the command has failed already
            return code or 1
        print(f"recurra: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    return code
