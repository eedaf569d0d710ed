"""The number of this process among those that torchrun has started, by its environment variables; imports no torch."""

from __future__ import annotations

import os
from dataclasses import dataclass

from recurra.errors import RunError


@dataclass(frozen=True)
class Launch:
    """The place of a process among those that were started together.

    Attributes:
        rank: its number, from 0.
        count: the number of processes.
        local_rank: its number on its own machine, from 0.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0


def launched() -> Launch:
    """The launch of this process: that of an only one unless torchrun, or a launcher like it, has started several.

    Raises:
        RunError: the variables RANK, WORLD_SIZE and LOCAL_RANK contradict each other.
    """
    if not {"RANK", "WORLD_SIZE"} <= set(os.environ):
        return Launch()
    found = {name: os.environ.get(name, "0") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    if not all(value.isdecimal() and value.isascii() for value in found.values()):
        raise RunError(f"torchrun's variables must be whole numbers, and are {_listed(found)}")
    rank, count, local_rank = map(int, found.values())
    if not local_rank <= rank < count:
        raise RunError(f"torchrun's variables contradict each other: {_listed(found)}")
    return Launch(rank, count, local_rank)


def is_first() -> bool:
    """Whether this is the only process, or process 0 of several."""
    try:
        return launched().rank == 0
    except RunError:  # :func:`launched` tells it elsewhere
        return True


def _listed(found: dict[str, str]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in found.items())
