"""A whole run: a process for each number of threads, one for each measurement of memory, and their records."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from recurra.bench import memory
from recurra.bench.cases import MEMORY
from recurra.bench.machine import Machine, machine, processors
from recurra.bench.peers import PEERS
from recurra.bench.records import CaseTimes, RecordLine, Started, append, read
from recurra.bench.settings import BenchSettings
from recurra.bench.worker import WorkOrder
from recurra.errors import RunError


@dataclass(frozen=True)
class Outcome:
    """The results of a run.

    Attributes:
        settings: the settings of the run.
        machine: the machine that it ran on.
        date: the time of its beginning, in UTC.
        seconds: its duration.
        load: the average number of busy processes on the machine in the minute before the run; None if not reported.
        lines: all records.
        missing: the packages that are not installed, by peer.
        left_out: numbers of threads that the machine does not have.
    """

    settings: BenchSettings
    machine: Machine
    date: str
    seconds: float
    load: float | None
    lines: tuple[RecordLine, ...]
    missing: dict[str, tuple[str, ...]]
    left_out: tuple[int, ...]


def run(settings: BenchSettings, say: Callable[[str], None] = print) -> Outcome:
    """Measure all cases that the settings ask for, and report progress.

    Raises:
        RecurraError: the settings make no sense, or a process ended before its first case.
    """
    settings.check()
    begin, date = time.monotonic(), datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    cores = len(processors())
    missing = {
        name: peer.missing()
        for name, peer in PEERS.items()
        if peer.missing() and (not settings.peers or name in settings.peers)
    }
    for name, packages in missing.items():
        say(f"{name} is left out: {', '.join(packages)} is not installed")
    lines: list[RecordLine] = []
    with tempfile.TemporaryDirectory() as folder:
        for threads in settings.threads:
            if threads <= cores and any(settings.cases(threads)):
                lines += _measured(settings, threads, Path(folder, f"{threads}.jsonl"), say)
        if settings.wants_memory:
            lines += _kept(Path(folder, "memory.jsonl"), say)
    left_out = tuple(threads for threads in settings.threads if threads > cores)
    took = time.monotonic() - begin
    return Outcome(settings, machine(), date, took, load, tuple(lines), missing, left_out)


def _measured(settings: BenchSettings, threads: int, path: Path, say: Callable[[str], None]) -> list[RecordLine]:
    """All records with so many threads; if a case kills its process, that is recorded, and a new process goes on."""
    order = WorkOrder(settings, threads, str(path))
    while True:
        code = _python(["-m", "recurra.bench.worker"], _limits(threads), order.to_json())
        lines = list(read(path))
        if code == 0:
            return [line for line in lines if not isinstance(line, Started)]
        begun = [line.case for line in lines if isinstance(line, Started)]
        if len(begun) <= len(order.done):
            raise RunError(f"the measuring process ended {_ending(code)} before its first case")
        say(f"{begun[-1]}: the process ended {_ending(code)}; going on with the next case")
        if begun[-1] not in [line.case for line in lines if isinstance(line, CaseTimes)]:
            _note(path, settings, threads, begun[-1], f"the process ended {_ending(code)}")
        order = WorkOrder(settings, threads, str(path), tuple(begun))


def _note(path: Path, settings: BenchSettings, threads: int, name: str, failure: str) -> None:
    case = next(case for case in settings.cases(threads) if case.name == name)
    peers = settings.peers_of(case, threads)
    append(path, CaseTimes(name, threads, failures={peer.name: failure for peer in peers}))


def _kept(path: Path, say: Callable[[str], None]) -> list[RecordLine]:
    """Measure what each side keeps for the backward pass."""
    for side in memory.SIDES:
        code = _python(["-m", "recurra.bench.memory", side, str(path)], {**_limits(1), **memory.ENVIRONMENT}, "")
        if code:
            say(f"{MEMORY.name}: the process of {side} ended {_ending(code)}")
    return list(read(path))


def _python(arguments: Sequence[str], environment: dict[str, str], given: str) -> int:
    """Run this Python, with this process's output, and return its exit code."""
    sys.stdout.flush()
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=os.environ | environment, input=given, text=True, check=False).returncode


def _limits(threads: int) -> dict[str, str]:
    """Environment variables that libraries read when they are loaded."""
    pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {**dict.fromkeys(pools, str(threads)), "JAX_PLATFORMS": "cpu"}


def _ending(code: int) -> str:
    if code < 0:
        return f"by signal {signal.Signals(-code).name}"
    return f"with exit code {code}"
