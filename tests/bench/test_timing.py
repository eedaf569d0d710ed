"""The order of calls in a race, and the figures made from its rounds."""

import gc
import time
from contextlib import contextmanager

import pytest

from recurra.bench.side import Side
from recurra.bench.timing import Rounds, race


def sides(seconds, log):
    def side(name, duration):
        @contextmanager
        def during():
            log.append(name)
            yield

        return Side(name, lambda: time.sleep(duration), during=during)

    return [side(name, duration) for name, duration in seconds.items()]


def test_sides_take_turns():
    log = []
    times = race(sides({"a": 1e-3, "b": 1e-3}, log), Rounds(many=4, few=2, batch=1e-4))
    assert "".join(log) == "ab" + "abba" * 2
    assert {name: len(found) for name, found in times.items()} == {"a": 4, "b": 4}


def test_long_calls_have_fewer_rounds():
    log = []
    times = race(sides({"short": 1e-3, "long": 2e-2}, log), Rounds(many=6, few=2, long=1e-2, batch=1e-4))
    assert None not in times["short"]
    assert [seconds is None for seconds in times["long"]] == [True, True, False] * 2
    taken = [seconds for seconds in times["long"] if seconds]
    assert min(taken) >= 2e-2 > min(times["short"]) >= 1e-3


def test_short_calls_are_timed_in_batches():
    count = 0

    def call():
        nonlocal count
        count += 1

    (times,) = race([Side("a", call)], Rounds(many=3, batch=1e-3)).values()
    assert count > 1000
    assert all(0 < seconds < 1e-3 for seconds in times)


def test_garbage_is_not_collected_meanwhile():
    seen = []
    race([Side("a", lambda: seen.append(gc.isenabled()))], Rounds(many=1, batch=1e-5))
    assert not any(seen)
    assert gc.isenabled()


def test_an_error_passes_through():
    with pytest.raises(ZeroDivisionError):
        race([Side("a", lambda: 1 / 0)], Rounds())
    assert gc.isenabled()
