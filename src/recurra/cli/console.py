"""Output of the commands: progress on a terminal, plain lines elsewhere, notes and errors as one line on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from recurra.cli.time_left import TimeLeft
from recurra.errors import EquationError, RecurraError

if TYPE_CHECKING:
    from recurra.tasks.training.events import Evaluation, Step, TrainingOutcome

NO_MEMORY = "the memory does not suffice; try a smaller --hidden, --batch-size or --seq-len"
SECONDS_BETWEEN_LINES = 30.0  # of updates, where there is no terminal
SECONDS_BETWEEN_OBJECTS = 1.0  # of updates, with --json

# How a figure of metrics.jsonl is shown: its name and its format. Others have their own name.
_SHOWN = {
    "step": ("step", "6d"),
    "epoch": ("epoch", "3d"),
    "train_loss": ("train", "6.3f"),
    "valid_loss": ("valid", "6.3f"),
    "perplexity": ("perplexity", "9.2f"),
    "bits_per_char": ("bits/char", "6.3f"),
}


class _UsageError(Protocol):
    def format_message(self) -> str: ...


def message_of(error: Exception) -> str | None:
    """The message of an error for a user; None for a defect, which keeps its traceback.

    It is one line, except that of a cell's equations, which draws the line of the source.
    """
    message = _text_of(error)
    if message is None or isinstance(error, EquationError):
        return message
    return " ".join(message.split())


def _text_of(error: Exception) -> str | None:
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
    """Print a message on stderr."""
    print(f"recurra: {message}", file=sys.stderr, flush=True)


def note(message: str) -> None:
    """Print a remark on stderr, apart from the results on stdout."""
    error_line(f"note: {' '.join(message.split())}")


class Follower(Protocol):
    """A ``Callback`` of a training that prints; a context manager."""

    def __enter__(self) -> Follower: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def introduce(self, lines: list[str], facts: Mapping[str, object]) -> None:
        """Print what is trained, as lines for readers or as facts for programs."""
        ...

    def on_step(self, step: Step) -> None:
        """Print an update."""
        ...

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Print an evaluation."""
        ...

    def on_end(self, outcome: TrainingOutcome) -> None:
        """Print the end."""
        ...

    def conclude(self, lines: list[str], facts: Mapping[str, object]) -> None:
        """Print what came out, as lines for readers or as facts for programs."""
        ...


class Reporter:
    """Printer of lines to stdout, with a progress bar below them on a terminal; a context manager and a ``Callback``.

    Without a terminal an update is a line where there was none for half a minute.

    Args:
        console: the console to print on. Default: stdout.
        item: the name of what is counted, such as ``token``.
    """

    def __init__(self, console: Console | None = None, item: str = "token") -> None:
        self.console = console or Console(highlight=False, markup=False, emoji=False)
        self.item = item
        self.bar: Progress | None = None
        self._last_line = time.monotonic()
        self._time_left = TimeLeft()
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
        self._last_line = time.monotonic()
        if self.bar is None:
            print(text, flush=True)
        else:
            self.console.print(text, soft_wrap=True)

    def progress(self, fraction: float, description: str) -> None:
        """Move the bar; without one, print a line now and then.

        Args:
            fraction: the share of the work that is done, from 0 to 1.
            description: the text beside the bar.
        """
        if self.bar is not None:
            self.bar.update(self.task, completed=fraction, description=description)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self.line(f"{fraction:4.0%}  {description}")

    def introduce(self, lines: list[str], facts: Mapping[str, object]) -> None:
        """Print the lines."""
        for line in lines:
            self.line(line)

    def on_step(self, step: Step) -> None:
        """Show the update beside the bar."""
        speed = f"{step.items_per_second:,.0f} {self.item}s/s"
        text = f"epoch {step.epoch}, step {step.step}, loss {step.loss:.3f}, {speed}"
        if step.fraction > 0:
            text += f", {_duration(self._time_left.estimate(step.seconds, step.fraction))} left"
        self.progress(step.fraction, text)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Print an evaluation as a line; a star marks the best so far."""
        self.line(describe(evaluation.row) + ("  *" if evaluation.best else ""))

    def on_end(self, outcome: TrainingOutcome) -> None:
        """Print nothing: the command says what comes next."""

    def conclude(self, lines: list[str], facts: Mapping[str, object]) -> None:
        """Print the lines."""
        for line in lines:
            self.line(line)


class JsonReporter:
    """Printer of a training as JSON, one object a line on stdout; a context manager and a ``Callback``.

    Each object has its ``event``: ``begin``, ``step`` (at most one a second), ``evaluation``, ``end`` or ``result``.
    """

    def __init__(self) -> None:
        self._last = 0.0

    def __enter__(self) -> JsonReporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def introduce(self, lines: list[str], facts: Mapping[str, object]) -> None:
        """Print the facts."""
        _print_json("begin", facts)

    def on_step(self, step: Step) -> None:
        """Print an update, at most one a second."""
        if time.monotonic() - self._last >= SECONDS_BETWEEN_OBJECTS:
            self._last = time.monotonic()
            _print_json("step", asdict(step))

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Print the row of metrics.jsonl, and whether it is the best so far."""
        _print_json("evaluation", {**evaluation.row, "best": evaluation.best})

    def on_end(self, outcome: TrainingOutcome) -> None:
        """Print the step, the best row, and whether the training is finished."""
        best = None if outcome.best is None else dict(outcome.best)
        _print_json("end", {"step": outcome.step, "best": best, "finished": outcome.is_finished})

    def conclude(self, lines: list[str], facts: Mapping[str, object]) -> None:
        """Print the facts."""
        _print_json("result", facts)


def describe(row: Mapping[str, float | None]) -> str:
    """Describe a row of metrics.jsonl in one line."""
    parts = []
    for name, value in row.items():
        shown = float("inf") if value is None else value
        if name.endswith("_per_second"):
            parts.append(f"{shown:7.0f} {name.removesuffix('_per_second')}/s")
        elif name == "seconds":
            parts.append(f"{shown:5.0f} s")
        elif name != "lr":
            word, form = _SHOWN.get(name, (name, "6.3f"))
            parts.append(f"{word} {shown:{form}}")
    return "  ".join(parts)


def _print_json(event: str, facts: Mapping[str, object]) -> None:
    print(json.dumps({"event": event, **facts}, ensure_ascii=False), flush=True)


def _duration(seconds: float) -> str:
    """A time in words: hours and minutes, minutes and seconds, or seconds."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
