"""A run folder has one training at a time."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from recurra.errors import RunError
from recurra.model.file import CONFIG
from recurra.tasks.run import RunFolder
from recurra.tasks.training.processes import Processes

if sys.platform != "win32":
    import fcntl


@contextlib.contextmanager
def claimed(run: RunFolder | None, processes: Processes) -> Iterator[None]:
    """Claim a run folder for as long as the context lasts, or the process lives.

    Two trainings would overwrite each other's checkpoints. The claim is a lock that the operating system holds, so that
    nothing is left behind by a process that is killed. Where files cannot be locked, nothing is claimed.

    Args:
        run: the folder. None: there is nothing to claim.
        processes: those that train together, all of which enter the context. Process 0 claims the folder for all.

    Raises:
        RunError: another training has claimed it.
    """
    if run is None:
        yield
        return
    with contextlib.ExitStack() as held:
        is_free = not processes.is_first or _claim(run, held)
        # All ask process 0, whose answer may differ from the others' yes.
        if not processes.same(b"free" if is_free else b"claimed") or not is_free:
            raise RunError(f"{run.folder} is being trained by another process: wait for its end, or stop it first")
        yield


def _claim(run: RunFolder, held: contextlib.ExitStack) -> bool:
    """Lock the configuration's file until `held` closes; tell whether nobody else has."""
    try:
        file = held.enter_context((run.folder / CONFIG).open("rb"))
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no file, or a file system without locks
        return True
    return True
