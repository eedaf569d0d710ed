"""What made a run: the command, the versions and the machine, as config.json holds them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

PACKAGES = ("torch", "numpy")
_CPUINFO = Path("/proc/cpuinfo")


def provenance(command: Sequence[str] | None, threads: int, processes: int = 1) -> dict[str, object]:
    """The content of ``made`` in config.json.

    Args:
        command: the command line, word by word; None for a call from Python.
        threads: the threads that each process computes with.
        processes: the processes that train together. Default 1.
    """
    return {
        "command": None if command is None else list(command),
        "versions": {"python": platform.python_version(), **_versions()},
        "machine": machine_name(),
        "threads": threads,
        "processes": processes,
    }


def machine_name() -> str:
    """The processor, the number of its cores that this process may use, and the operating system."""
    cpu = cpuinfo().get("model name") or platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{cpu}, {cores} core{'s' if cores > 1 else ''}, {platform.system()} {platform.release()}"


def cpuinfo() -> dict[str, str]:
    """The first processor's entry in /proc/cpuinfo; empty where there is none."""
    try:
        entry = _CPUINFO.read_text(encoding="ascii", errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in entry.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
