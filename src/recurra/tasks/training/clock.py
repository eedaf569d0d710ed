"""The time of a training, and the journal by which a training with a time limit can be repeated to the bit."""

from __future__ import annotations

import contextlib
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

RECORD = struct.Struct("<d")


class Clock:
    """The seconds that a training has run, in all sittings together, and the used share of its time limit.

    Args:
        seconds: the time that it has run before.
        limit: the time limit in seconds; None for none.
        journal: the journal of the shares; None to keep none.
    """

    def __init__(self, seconds: float, limit: float | None, journal: Journal | None) -> None:
        self.limit, self.journal = limit, journal
        self._begin = time.monotonic() - seconds

    def seconds(self) -> float:
        """The time that the training has run."""
        return time.monotonic() - self._begin

    def share(self, step: int) -> float:
        """The used share of the time limit at an update, from 0 to 1; 0 without a limit.

        Of an update that the journal knows it is that of the journal, and the clock is set to it.

        Args:
            step: the number of updates before this one.
        """
        if self.limit is None:
            return 0.0
        known = self.journal.known(step) if self.journal else None
        if known is not None:
            self._begin = time.monotonic() - known * self.limit
            return known
        share = min(self.seconds() / self.limit, 1.0)
        if self.journal:
            self.journal.record(step, share)
        return share

    def close(self, is_finished: bool) -> None:
        """Close the journal, and remove it after a finished training, which needs it no more."""
        if self.journal:
            self.journal.close()
            if is_finished:
                with contextlib.suppress(OSError):
                    self.journal.path.unlink()


class Journal:
    """A file of the used share of the time limit at each update, by which a resumed training repeats them.

    The share of update k, a float64, lies at byte 8·k. Each is written before its update, without waiting for the disk:
    what a killed process wrote is there, and what a power cut takes is computed anew.

    Args:
        path: the file; it is made if there is none.
        step: the number of updates that need not be repeated.
        warn: gets the message of a failure to read or write, once; the training goes on without a journal.
    """

    def __init__(self, path: Path, step: int, warn: Callable[[str], None]) -> None:
        self.path, self._warn = path, warn
        self._descriptor: int | None = None
        self._known: dict[int, float] = {}
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            content = path.read_bytes()[step * RECORD.size :]
        except OSError as error:
            self._fail(error)
            return
        whole = len(content) // RECORD.size * RECORD.size  # a kill may have cut the last one
        share = 0.0
        for place, (value,) in enumerate(RECORD.iter_unpack(content[:whole])):
            if not share <= value <= 1:
                break
            self._known[step + place] = share = value

    def known(self, step: int) -> float | None:
        """The share at an update that was recorded before; None for a new one."""
        return self._known.pop(step, None)

    def record(self, step: int, share: float) -> None:
        """Write the share at an update."""
        if self._descriptor is None:
            return
        try:
            os.lseek(self._descriptor, step * RECORD.size, os.SEEK_SET)
            os.write(self._descriptor, RECORD.pack(share))
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _fail(self, error: OSError) -> None:
        self.close()
        problem = f"{self.path} cannot be written: {error.strerror or error}"
        self._warn(f"{problem}; after a kill the run goes on, but not with the same bits")
