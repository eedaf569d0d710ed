"""Times of calls that take turns, so that whatever slows the machine down for a while slows all of them."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from recurra.bench.side import Side

Times = list[float | None]  # seconds of a call in each round; None if the side was left out


@dataclass(frozen=True)
class Rounds:
    """The numbers of rounds, and the times around calls.

    Attributes:
        many: rounds of a side whose call takes less than ``long`` seconds.
        few: rounds of the other sides, spread evenly over those ``many`` rounds.
        long: seconds of a call.
        fewest: rounds of a side whose call takes a second or more.
        batch: seconds; shorter calls are repeated until they last as long, and timed together.
        warm: seconds; a shorter call is made once before it is timed, to bring its data back into the caches. It makes
            hardly a difference to a longer one.
        settle: seconds of rest before each turn, in which the threads of the previous side stop waiting for work.
    """

    many: int = 31
    few: int = 7
    long: float = 0.1
    fewest: int = 3
    batch: float = 0.003
    warm: float = 0.01
    settle: float = 0.0


QUICK = Rounds(many=9, few=3)


def race(sides: Sequence[Side], rounds: Rounds) -> dict[str, Times]:
    """Time all sides in turns: forwards in one round, backwards in the next.

    Args:
        sides: the sides to time; their names differ.
        rounds: the numbers of rounds.

    Returns:
        The times of all rounds, by the name of the side.
    """
    with _no_collection():
        durations = {side.name: _estimate(side) for side in sides}
        shares = {name: _share(seconds, rounds) for name, seconds in durations.items()}
        total = max(shares.values())
        times: dict[str, Times] = {side.name: [] for side in sides}
        for number in range(total):
            for side in sides if number % 2 == 0 else reversed(sides):
                takes_part = _is_turn(number, shares[side.name], total)
                times[side.name].append(_turn(side, durations[side.name], rounds) if takes_part else None)
    return times


def _share(seconds: float, rounds: Rounds) -> int:
    """The number of rounds of a side whose call takes so many seconds."""
    return rounds.many if seconds < rounds.long else rounds.few if seconds < 1 else min(rounds.few, rounds.fewest)


def _is_turn(number: int, share: int, total: int) -> bool:
    """Whether a side that takes part in `share` of `total` rounds, evenly spread, takes part in this one."""
    return number * share // total != (number + 1) * share // total


def _turn(side: Side, estimate: float, rounds: Rounds) -> float:
    """Seconds of one call, measured over a batch of calls."""
    calls = max(1, math.ceil(rounds.batch / estimate))
    gc.collect()
    with side.during():
        time.sleep(rounds.settle)
        if estimate < rounds.warm:
            side.call()
        return _seconds(side, calls)


def _estimate(side: Side) -> float:
    """About the seconds that a warm call takes."""
    with side.during():
        side.call()
        calls, seconds = 1, _seconds(side, 1)
        while seconds * calls < 1e-3:
            calls *= 4
            seconds = _seconds(side, calls)
    return seconds


def _seconds(side: Side, calls: int) -> float:
    call = side.call
    begin = time.perf_counter_ns()
    for _ in range(calls):
        call()
    return (time.perf_counter_ns() - begin) / calls / 1e9


@contextmanager
def _no_collection() -> Iterator[None]:
    """Collect garbage only where the code says so, and leave out the objects that exist already."""
    was_on = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()
