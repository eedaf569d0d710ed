"""The frequency of times, found from their differences or named."""

import numpy as np
import pandas as pd
import pytest

from recurra.errors import RunError
from recurra.series.detection import IrregularTimesError, SortedTimes, detect_frequency, fit, named_frequency


def sorted_times(texts, series=None, zone=None):
    utc = np.array(texts, "datetime64[us]").astype(np.int64)
    return SortedTimes(utc, np.zeros(len(utc), np.int64) if series is None else np.array(series), zone)


NAMES = [
    "YS",
    "YE",
    "QS",
    "QE",
    "MS",
    "ME",
    "W",
    "D",
    "B",
    "h",
    "30min",
    "15min",
    "min",
    "10s",
    "2MS",
    "2W",
    "3D",
    "6h",
]


@pytest.mark.parametrize("name", NAMES)
def test_regular_times(name):
    times = sorted_times(pd.date_range("2020-01-05", periods=60, freq=name).to_numpy())
    assert detect_frequency(times).name == name
    assert fit(detect_frequency(times), times).tolist() == list(range(60))


@pytest.mark.parametrize("name", NAMES)
def test_times_with_gaps(name):
    left = [0, 1, 2, 3, 5, 6, 7, 8, 9, 12, 13, 14, 15, 20, 21, 22]
    times = sorted_times(pd.date_range("2020-01-05", periods=60, freq=name).to_numpy()[left])
    assert detect_frequency(times).name == name
    assert fit(detect_frequency(times), times).tolist() == left


def test_series_that_begin_at_other_times():
    times = sorted_times(["2020-03-01", "2020-04-01", "1999-01-01", "1999-02-01"], [0, 0, 1, 1])
    assert detect_frequency(times).name == "MS"
    assert fit(detect_frequency(times), times).tolist() == [0, 1, -254, -253]


def test_the_fifteenth_of_each_month():
    times = sorted_times(["2020-01-15", "2020-02-15", "2020-03-15", "2020-05-15"])
    assert detect_frequency(times).name == "MS"
    assert fit(detect_frequency(times), times).tolist() == [0, 1, 2, 4]


def test_days_of_a_zone():
    days = pd.date_range("2020-03-20", periods=20, tz="Europe/Berlin").tz_convert("UTC").tz_localize(None)
    assert detect_frequency(sorted_times(days.to_numpy(), zone="Europe/Berlin")).name == "D"
    with pytest.raises(IrregularTimesError):
        detect_frequency(sorted_times(days.to_numpy()))


def test_whole_numbers():
    times = SortedTimes(np.array([10, 20, 30, 50]), np.zeros(4, np.int64), is_step=True)
    assert detect_frequency(times).name == "10step"
    assert fit(detect_frequency(times), times).tolist() == [0, 1, 2, 4]


@pytest.mark.parametrize(
    ("texts", "row"),
    [
        (["2020-01-01", "2020-01-08", "2020-01-15", "2020-01-20", "2020-01-29"], 3),
        (["2020-01-01", "2020-02-01", "2020-03-02", "2020-04-01", "2020-05-01"], 2),
        (["2020-01-01T00:07", "2020-01-01T01:00", "2020-01-01T02:00", "2020-01-01T03:00"], 0),
    ],
)
def test_the_row_that_does_not_fit(texts, row):
    with pytest.raises(IrregularTimesError) as found:
        detect_frequency(sorted_times(texts))
    assert found.value.row == row


@pytest.mark.parametrize(
    ("texts", "message"),
    [(["2020-01-01"], "--freq"), (["2020-01-01T00:00:00", "2020-01-01T00:00:00.5"], "less than a second")],
)
def test_times_without_a_frequency(texts, message):
    with pytest.raises(IrregularTimesError, match=message):
        detect_frequency(sorted_times(texts))


@pytest.mark.parametrize(
    ("name", "first", "found"),
    [
        ("M", "2020-01-01", "MS"), ("monthly", "2020-01-31", "ME"), ("H", "2020-01-01", "h"),
        ("W-SUN", "2020-01-05", "W"), ("15T", "2020-01-01", "15min"), ("Q", "2020-03-31", "QE"),
    ],
)  # fmt: skip
def test_names_that_others_use(name, first, found):
    assert named_frequency(name, sorted_times([first])).name == found


@pytest.mark.parametrize(
    ("name", "message"),
    [("fortnight", "no frequency fortnight; name one of YS"), ("MS", "last days of months name ME"), ("step", "times")],
)
def test_names_that_do_not_go(name, message):
    with pytest.raises(RunError, match=message):
        named_frequency(name, sorted_times(["2020-01-31", "2020-02-29"]))
