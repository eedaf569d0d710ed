"""The times of calls that take turns, so that other work on the machine affects all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

ROUNDS, FEWEST = 25, 5
WARM = 2  # the first rounds, which also allocate memory and fill caches


def medians(calls: Sequence[Callable[[], object]], seconds: float) -> tuple[list[float], int]:
    """The median time of each call in milliseconds, and the number of rounds.

    The calls alternate, and take turns in going first. There are 5 to 25 rounds; the first 2 do not count.

    Args:
        calls: the calls to time.
        seconds: the time after which no further round begins.
    """
    times: list[list[float]] = [[] for _ in calls]
    sides = list(zip(calls, times, strict=True))
    begin, rounds = time.monotonic(), 0
    while rounds < FEWEST or (rounds < ROUNDS and time.monotonic() - begin < seconds):
        for call, taken in sides if rounds % 2 == 0 else reversed(sides):
            taken.append(milliseconds(call))
        rounds += 1
    return [statistics.median(taken[WARM:]) for taken in times], rounds


def milliseconds(call: Callable[[], object]) -> float:
    """The time of a call."""
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)
