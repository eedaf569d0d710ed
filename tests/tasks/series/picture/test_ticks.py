"""Marks of times stand where people expect them."""

import pytest

from recurra.tasks.series.picture.ticks import time_marks
from tests.tasks.series.picture.grids import Grid


@pytest.mark.parametrize(
    ("grid", "steps", "texts"),
    [
        (Grid("1949-01", "M"), 144, ["1950", "1952", "1954", "1956", "1958", "1960"]),
        (Grid("2020-01", "M"), 9, ["Jan 2020", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep"]),
        (
            Grid("2019-11-20", "D"),
            60,
            ["25 Nov 2019", "2 Dec", "9 Dec", "16 Dec", "23 Dec", "30 Dec", "6 Jan 2020", "13 Jan"],
        ),
        (Grid("2020-01-01T00", "h"), 48, ["1 Jan 00:00", "06:00", "12:00", "18:00", "2 Jan 00:00", "06:00", "12:00"]),
        (Grid("2015", "Y"), 3, ["2015", "2016", "2017"]),
        (Grid("100", ""), 60, ["100", "110", "120", "130", "140", "150"]),
        (Grid("2020-01-05T07", "h"), 1, ["5 Jan 07:00:00"]),
    ],
)
def test_times(grid, steps, texts):
    marks = time_marks(grid, 0, steps - 1)
    found = [mark.text for mark in marks]
    assert found[: len(texts)] == texts
    assert len(found) <= 9
    assert all(0 <= mark.at < steps for mark in marks)


def test_a_zone_moves_the_days():
    grid = Grid("2020-03-28T22", "h", zone="Europe/Berlin")
    marks = time_marks(grid, 0, 71)
    midnights = [mark for mark in marks if mark.text.endswith("00:00")]
    assert [mark.at for mark in midnights] == [1.0, 24.0, 48.0]  # the 29th has 23 hours
