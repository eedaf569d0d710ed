"""The time that a training still takes."""

from __future__ import annotations

from collections import deque

RECENT = 600.0  # seconds whose pace counts: evaluations take their share of them
LEAST = 10.0  # seconds of this sitting before which the pace of the whole training counts


class TimeLeft:
    """An estimate by the pace of the last ten minutes, as machines get busy, and runs go on elsewhere."""

    def __init__(self) -> None:
        self._past: deque[tuple[float, float]] = deque()

    def estimate(self, seconds: float, fraction: float) -> float:
        """The seconds left.

        Args:
            seconds: the time since the start, of all sittings together.
            fraction: the used part of the budget, above 0 and up to 1.
        """
        past = self._past
        if not past or seconds - past[-1][0] >= 1:
            past.append((seconds, fraction))
        while len(past) > 1 and seconds - past[1][0] >= RECENT:
            past.popleft()
        begin, used = past[0]
        if seconds - begin < LEAST or fraction <= used:
            begin = used = 0.0
        return (1 - fraction) * (seconds - begin) / (fraction - used)
