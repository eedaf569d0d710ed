"""Commands in the processes that torchrun starts: process 0 prints for all, and an error is told once."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from recurra.cli.console import error_line, message_of
from recurra.errors import RunError
from recurra.tasks.training.launch import Launch, is_first, launched

if TYPE_CHECKING:
    from recurra.tasks.training.processes import Processes
    from recurra.tasks.training.torchrun import TorchrunProcesses

# The time that a process which prints an error needs for that; torchrun ends all processes once one has ended.
TIME_TO_TELL = 5.0


class ToldError(RunError):
    """An error that a process has told the user already; its message is empty."""


def tell(message: str) -> None:
    """Print an error that all processes meet alike: process 0 does, and the others let it."""
    if is_first():
        error_line(message)
    else:
        _let_tell()


def resume_command(folder: Path) -> str:
    """The command line by which a training in a run folder goes on, in several processes if there are several now."""
    program = "recurra" if launched().count == 1 else "torchrun … -m recurra"
    return f"{program} text train --resume {shlex.quote(str(folder))}"


@contextlib.contextmanager
def joined(folder: Path) -> Iterator[Processes]:
    """The processes that train together, joined for the time of the block.

    If the block raises an error in any process, the first one that comes here prints it, and the others end without
    a word: they meet errors of their own, as they miss that process.

    Args:
        folder: the run folder, from which a training goes on that has lost a process.

    Raises:
        ToldError: there was an error, which is told.
    """
    launch = launched()
    if launch.count == 1:
        from recurra.tasks.training.processes import OneProcess

        yield OneProcess()
        return
    from recurra.tasks.run import CHECKPOINT
    from recurra.tasks.training.torchrun import LostProcessError

    processes = _found(launch)
    try:
        yield processes
    except Exception as error:
        message = message_of(error)
        if message is None:
            raise
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun sends it if a process has died
        if isinstance(error, LostProcessError) and (folder / CHECKPOINT).is_file():
            message += f"; to go on from the last checkpoint: {resume_command(folder)}"
        processes.tell_once(partial(error_line, message))
        raise ToldError from None
    finally:
        processes.close()


def _found(launch: Launch) -> TorchrunProcesses:
    from recurra.tasks.training.torchrun import TorchrunProcesses

    try:
        return TorchrunProcesses(launch)
    except RunError as error:
        if launch.local_rank == 0:  # once on each machine, as the others are not found
            error_line(message_of(error) or "")
        else:
            _let_tell()
        raise ToldError from None


def _let_tell() -> None:
    """Wait for torchrun's signal, for some seconds at most: an early end would have the process that prints ended."""
    signal.signal(signal.SIGTERM, _leave)
    time.sleep(TIME_TO_TELL)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(2)
