"""Output of the commands: progress on a terminal, plain lines elsewhere, notes and errors as one line on stderr."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Protocol, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from recurra.errors import RecurraError

NO_MEMORY = "the memory does not suffice; try a smaller --hidden, --batch-size or --seq-len"


class _UsageError(Protocol):
    def format_message(self) -> str: ...


def message_of(error: Exception) -> str | None:
    """The message of an error for a user; None for a defect, which keeps its traceback."""
    if isinstance(error, RecurraError):
        return str(error)
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "alloc" in str(error)):
        return NO_MEMORY
    if isinstance(error, OSError) and error.filename is None:  # readers and writers of files name the file
        return f"the output cannot be written: {error.strerror or error}"
    if hasattr(error, "format_message"):  # typer's own errors, whose class depends on its version
        return cast(_UsageError, error).format_message()
    return None


def error_line(message: str) -> None:
    """Print a message as a single line on stderr."""
    print(f"recurra: {' '.join(message.split())}", file=sys.stderr, flush=True)


def note(message: str) -> None:
    """Print a remark on stderr, apart from the results on stdout."""
    error_line(f"note: {message}")


class Reporter:
    """Printer of lines to stdout, with a progress bar below them on a terminal; a context manager.

    Args:
        console: the console to print on. Default: stdout.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, markup=False, emoji=False)
        self.bar: Progress | None = None
        if self.console.is_terminal:
            columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
            self.bar = Progress(*columns, console=self.console, transient=True)
            self.task = self.bar.add_task("", total=1.0)

    def __enter__(self) -> Reporter:
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def line(self, text: str) -> None:
        """Print a line without wrapping it."""
        if self.bar is None:
            print(text, flush=True)
        else:
            self.console.print(text, soft_wrap=True)

    def progress(self, fraction: float, description: str) -> None:
        """Move the bar, if there is one.

        Args:
            fraction: the share of the work that is done, from 0 to 1.
            description: the text beside the bar.
        """
        if self.bar is not None:
            self.bar.update(self.task, completed=fraction, description=description)
