"""The grid of times: positions and times are each other's inverse, seasons, features of the calendar."""

import datetime
import zoneinfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import FileFormatError, RecurraError, RunError
from recurra.series.frequency import Frequency
from recurra.series.units import UNITS

ZONES = [None, "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "+05:30"]


def utc(text):
    return int(np.datetime64(text, "us").astype(np.int64))


@st.composite
def frequencies(draw):
    unit, multiple = draw(st.sampled_from(UNITS)), draw(st.integers(1, 20))
    name = unit if multiple == 1 else f"{multiple}{unit}"
    month, day = draw(st.integers(-240, 480)), draw(st.integers(1, 26))  # a day that every month has, in every zone
    seconds = draw(st.integers(0, 86_399))
    begin = np.datetime64(month, "M").astype("datetime64[D]").astype(int) + day
    zone = None if unit == "step" else draw(st.sampled_from(ZONES))
    return Frequency(name, (int(begin) * 86_400 + seconds) * 10**6, zone)


@given(frequencies(), st.lists(st.integers(-80, 80), min_size=1, max_size=20))
def test_positions_of_times_are_the_positions(frequency, positions):
    assert frequency.positions(frequency.times(positions)).tolist() == positions


@given(frequencies(), st.integers(-80, 80))
def test_times_ascend(frequency, position):
    times = frequency.times(np.arange(position, position + 5)).astype(np.int64)
    assert (np.diff(times) > 0).all()


@pytest.mark.parametrize("name", ["YS", "YE", "QS", "QE", "MS", "ME", "W", "D", "B", "h", "15min", "90s", "2MS", "3D"])
def test_times_are_those_of_pandas(name):
    expected = pd.date_range("2019-12-31", periods=30, freq=name)
    made = Frequency(name, utc(expected[0])).times(np.arange(30))
    assert made.tolist() == expected.to_pydatetime().tolist()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Sao_Paulo"])
def test_days_of_a_zone_begin_by_its_clocks(zone):
    begin = datetime.datetime(2018, 10, 1, tzinfo=zoneinfo.ZoneInfo(zone))
    days = Frequency("D", int(begin.timestamp()) * 10**6, zone).times(np.arange(300)).astype(np.int64)
    for number, time in enumerate((days // 10**6).tolist()):
        clock = datetime.datetime.fromtimestamp(time, zoneinfo.ZoneInfo(zone))
        assert clock.date() == (begin + datetime.timedelta(days=number)).date()
        assert clock.hour in (0, 1)  # midnight, or one where clocks skip midnight
    assert set(np.diff(days) // 3_600_000_000) == {23, 24, 25}


def test_a_day_of_a_month_other_than_the_first():
    frequency = Frequency("MS", utc("2020-01-15"))
    assert frequency.times([1, 12]).astype("datetime64[D]").astype(str).tolist() == ["2020-02-15", "2021-01-15"]


def test_a_day_that_some_months_lack_is_refused():
    with pytest.raises(RunError, match="up to the 28th"):
        Frequency("MS", utc("2020-01-30"))


def test_working_days_skip_the_weekend():
    times = Frequency("B", utc("2020-01-02")).times([0, 1, 2]).astype("datetime64[D]").astype(str)
    assert times.tolist() == ["2020-01-02", "2020-01-03", "2020-01-06"]


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("MS", "2020-02-02"),
        ("ME", "2020-02-28"),
        ("D", "2020-02-01T00:01"),
        ("B", "2020-02-01"),
        ("h", "2020-01-01T00:30"),
    ],
)
def test_times_beside_the_grid_are_refused(name, time):
    anchor = "2020-01-31" if name in ("ME", "B") else "2020-01-01"
    with pytest.raises(RecurraError, match="does not lie on the grid of times, which is"):
        Frequency(name, utc(anchor)).positions([utc(anchor), utc(time)])


@pytest.mark.parametrize(
    ("name", "periods"),
    [
        ("YS", ()), ("QS", (4,)), ("MS", (12,)), ("3MS", (4,)), ("W", (52,)), ("D", (7, 365)), ("7D", (52,)),
        ("B", (5, 260)), ("h", (24, 168)), ("2h", (12, 84)), ("5h", ()), ("30min", (48, 336)), ("15min", (96, 672)),
        ("min", (60, 1440)), ("s", (60, 3600)), ("step", ()),
    ],
)  # fmt: skip
def test_usual_seasons(name, periods):
    assert Frequency(name).periods == periods


@given(frequencies())
def test_features_of_the_calendar(frequency):
    features = frequency.calendar(np.arange(50))
    assert features.shape == (50, frequency.calendar_width)
    assert features.dtype == np.float32
    assert (np.abs(features) <= 1).all()


def test_features_repeat_by_the_clocks_of_the_zone():
    winter, summer = utc("2020-02-03T07:00"), utc("2020-08-03T06:00")  # Mondays, eight in the morning in Berlin
    hours = Frequency("h", winter, "Europe/Berlin")
    both = hours.calendar(hours.positions([winter, summer]))
    np.testing.assert_array_equal(both[0, :12], both[1, :12])  # the day and the week; the year differs
    assert not np.array_equal(both[0, 12:], both[1, 12:])


def test_each_month_has_its_own_features():
    features = Frequency("MS").calendar(np.arange(24))
    np.testing.assert_allclose(features[:12], features[12:], atol=1e-6)
    assert len(np.unique(features.round(4), axis=0)) == 12


def test_whole_steps_have_no_features():
    assert Frequency("step", 5).calendar([1, 2]).shape == (2, 0)


def test_json_and_back():
    frequency = Frequency("15min", -7, "Europe/Berlin")
    assert Frequency.from_content(frequency.to_content()) == frequency


@pytest.mark.parametrize(
    "change",
    [{"name": "fortnight"}, {"name": 3}, {"anchor": "0"}, {"anchor": 2**80}, {"zone": "Mars/Base"}, {"more": 1}],
)
def test_damaged_json_is_refused(change):
    with pytest.raises(FileFormatError):
        Frequency.from_content(Frequency("D").to_content() | change)


def test_in_words():
    assert [str(Frequency(name)) for name in ("MS", "15min")] == ["monthly (MS)", "every 15 minutes (15min)"]
