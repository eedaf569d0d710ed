"""The time left follows the pace of the last minutes."""

import pytest

from recurra.cli.time_left import LEAST, RECENT, TimeLeft


def test_the_pace_of_the_whole_counts_at_first() -> None:
    left = TimeLeft()
    assert left.estimate(100.0, 0.5) == pytest.approx(100)
    assert left.estimate(100.0 + LEAST - 1, 0.6) == pytest.approx(0.4 * (99 + LEAST) / 0.6)


def test_then_that_of_the_last_minutes() -> None:
    """A run that took 1,000 s for its first tenth is resumed where a hundredth takes 10 s."""
    left = TimeLeft()
    for step in range(1, 40):
        found = left.estimate(1000.0 + 10 * step, 0.1 + 0.01 * step)
    assert found == pytest.approx((0.9 - 0.39) * 1000)
    # The machine becomes busy: after some minutes nothing is left of the faster pace.
    seconds = 1390.0
    for step in range(40, 46):
        seconds += 150
        found = left.estimate(seconds, 0.1 + 0.01 * step)
    assert seconds - 1390 > RECENT
    assert found == pytest.approx((0.9 - 0.45) * 15000)


def test_many_steps_a_second_take_little_memory() -> None:
    left = TimeLeft()
    for step in range(1, 200_000):
        left.estimate(step * 0.01, step * 5e-6)
    assert len(left._past) <= RECENT + 2


def test_without_progress_the_whole_counts() -> None:
    left = TimeLeft()
    assert [left.estimate(seconds, 0.5) for seconds in (10.0, 100.0)] == [10.0, 100.0]
