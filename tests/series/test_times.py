"""Texts of times in all usual forms: read, and written back as they came."""

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RunError
from recurra.series import time_patterns
from recurra.series.table import NumberColumn, Table, TimeColumn, text_column
from recurra.series.time_patterns import read_times, write_times
from recurra.series.times import looks_like_times, read_time_column, times_as_text


def table(texts):
    return Table({"date": text_column(texts)}, "data.csv", np.arange(2, 2 + len(texts)))


def times_of(texts, **options):
    read = read_time_column(table(texts), "date", **options)
    return read, read.utc(np.zeros(len(texts), np.int64))


FORMS = [
    (["2020-W01", "2020-W53"], "2020-12-28"),
    (["2020W011", "2021W527"], "2022-01-02"),
    (["1949-01", "1950-12"], "1950-12-01"),
    (["2020-01-01", "2020-12-31"], "2020-12-31"),
    (["1700", "1701"], "1701-01-01"),
    (["2020-01-01 13", "2020-01-01 14"], "2020-01-01T14:00"),
    (["2020-01-01 13:00", "2020-01-01 14:30"], "2020-01-01T14:30"),
    (["2020-01-01 1:00:00", "2020-01-01 14:30:00"], "2020-01-01T14:30"),
    (["2020-01-01T13:00:00", "2020-01-01T14:30:05"], "2020-01-01T14:30:05"),
    (["2020-01-01T13:00:00.250", "2020-01-01T14:30:05.125"], "2020-01-01T14:30:05.125"),
    (["2020-01-01T13:00:00Z", "2020-01-01T14:30:05Z"], "2020-01-01T14:30:05"),
    (["2020-07-01T13:00:00+02:00", "2020-07-01T14:30:05+02:00"], "2020-07-01T12:30:05"),
    (["2020-07-01 13:00:00 -0530", "2020-07-01 14:30:00 -0530"], "2020-07-01T20:00"),
    (["31.12.2020", "01.01.2021"], "2021-01-01"),
    (["31.12.2020", "1.1.2021"], "2021-01-01"),
    (["1.1.2021", "2.1.2021"], "2021-01-02"),
    (["01.02.2020", "02.02.2020"], "2020-02-02"),
    (["31.12.2020 23:00", "01.01.2021 00:00"], "2021-01-01"),
    (["31/12/2020", "01/01/2021"], "2021-01-01"),
    (["12/31/2020", "01/02/2021"], "2021-01-02"),
    (["12/31/99 1:05 PM", "1/1/00 12:00 AM"], "2000-01-01"),
    (["2020/01/31", "2020/02/01"], "2020-02-01"),
    (["20200131", "20200201"], "2020-02-01"),
    (["202001", "202002"], "2020-02-01"),
    (["2020.01", "2020.10"], "2020-10-01"),
    (["2020.1", "2020.10"], "2020-10-01"),
    (["1600000000123456000", "1600003600000000000"], "2020-09-13T13:26:40"),
    (["999999999000000000", "1000000000000000000"], "2001-09-09T01:46:40"),
    (["2020Q1", "2020Q4"], "2020-10-01"),
    (["Q1 2020", "Q3 2020"], "2020-07-01"),
    (["2020M01", "2020M11"], "2020-11-01"),
    (["Jan 2020", "May 2020"], "2020-05-01"),
    (["May 2020", "September 2020"], "2020-09-01"),
    (["Jan-20", "Feb-20"], "2020-02-01"),
    (["1-Jan-2020", "12-Feb-2020"], "2020-02-12"),
    (["Jan 1, 2020", "Feb 12, 2020"], "2020-02-12"),
]


@pytest.mark.parametrize(("texts", "last"), FORMS, ids=lambda value: str(value))
def test_times_come_back_as_they_came(texts, last):
    read, utc = times_of(texts)
    assert utc[-1] == np.datetime64(last, "us").astype(np.int64)
    assert times_as_text(utc, read.pattern, read.zone) == texts
    assert looks_like_times(text_column(texts))


@given(st.lists(st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)), min_size=1, max_size=5))
def test_python_reads_and_writes_the_same(times):
    pattern = "%d.%m.%Y %H:%M:%S.%f"
    texts = [time.strftime(pattern) for time in times]
    local, offsets, wrong = read_times(pattern, texts)
    assert (offsets, wrong) == (None, -1)
    assert local.view("datetime64[us]").tolist() == times
    assert write_times(pattern, local, np.zeros_like(local)) == texts


@given(st.lists(st.dates(datetime.date(1700, 1, 1), datetime.date(2200, 1, 1)), min_size=1, max_size=5))
def test_weeks_are_those_of_iso_8601(days):
    texts = ["{:04d}-W{:02d}-{}".format(*day.isocalendar()) for day in days]
    local, _, wrong = read_times("%G-W%V-%u", texts)
    assert wrong == -1
    assert local.view("datetime64[us]").astype("datetime64[D]").tolist() == days
    assert write_times("%G-W%V-%u", local, np.zeros_like(local)) == texts


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["2020-W53", "2021-W53"], "'2021-W53' at line 3 is no date of the form %G-W%V"),
        (
            ["01/02/2020", "02/02/2020"],
            r"two ways, such as '01/02/2020': name --time-format %d/%m/%Y or --time-format %m/%d",
        ),
        (["01/02/2020", "13/02/2020", "02/13/2020"], r"'02/13/2020' at line 4 is no date of the form %d/%m/%Y"),
        (["2020-01-01", "yesterday"], "'yesterday' at line 3 is no date of the form %Y-%m-%d; repair it"),
        (["2020-02-28", "2020-02-30"], "'2020-02-30' at line 3"),
        (["2020-01-01", ""], "nothing at line 3 is no time; give the row one"),
        (["1600000000000000000", "1600000000000000500"], "'1600000000000000500' at line 3 is no date of the form %9s"),
        (["soon", "later"], "'soon' at line 2 is no date"),
    ],
)
def test_texts_that_are_no_times(texts, message):
    with pytest.raises(RunError, match=message) as found:
        times_of(texts)
    assert "\n" not in str(found.value)


def test_a_form_that_is_named():
    assert times_of(["01/02/2020"], pattern="%d/%m/%Y")[1] == np.datetime64("2020-02-01", "us").astype(np.int64)
    with pytest.raises(RunError, match="'01/32/2020' at line 2 is no time of the form %m/%d/%Y"):
        times_of(["01/32/2020"], pattern="%m/%d/%Y")
    with pytest.raises(RunError, match="directive that is not known"):
        times_of(["01/32/2020"], pattern="%Y %W")
    with pytest.raises(RunError, match="must have a year"):
        times_of(["01/02"], pattern="%m/%d")
    for pattern in ("%Y-W%V", "%G-%m", "%G-W%V-%d"):
        with pytest.raises(RunError, match="must have year and week of ISO 8601"):
            times_of(["2020-W02"], pattern=pattern)


def test_offsets_that_differ_are_in_utc_unless_a_zone_is_named():
    texts = ["2020-03-29T01:00:00+01:00", "2020-03-29T03:00:00+02:00"]
    read, utc = times_of(texts)
    assert read.zone == "UTC"
    assert np.diff(utc).tolist() == [3_600_000_000]
    read, utc = times_of(texts, zone="Europe/Berlin")
    assert times_as_text(utc, read.pattern, read.zone) == texts


def test_the_hour_that_clocks_show_twice():
    texts = [f"2020-10-25 {hour:02d}:{minute}" for hour in (1, 2, 2, 3) for minute in ("00", "30")]
    read, utc = times_of(texts, zone="Europe/Berlin")
    assert set(np.diff(utc)) == {1_800_000_000}
    assert times_as_text(utc, read.pattern, read.zone) == texts


def test_no_such_zone():
    with pytest.raises(RunError, match="no time zone Mars/Base; name one such as Europe/Berlin"):
        times_of(["2020-01-01"], zone="Mars/Base")[0].utc(np.zeros(1, np.int64))


@pytest.mark.parametrize(
    ("numbers", "pattern"),
    [([1, 2, 3], None), ([1949, 1950], "%Y"), ([202001, 202012], "%Y%m"), ([20200131, 20200201], "%Y%m%d"),
     ([20200131, 20200299], None), ([1_600_000_000, 1_600_003_600], "%s"), ([1_600_000_000_000] * 2, "%3s"),
     ([1_600_000_000_000_000] * 2, "%6s"),
     ([16e17, 16e17 + 3600e9], "%9s"), ([2019.12, 2020.01], "%Y.%m"), ([100_000_000, 100_003_600], None)],
)  # fmt: skip
def test_numbers_as_times(numbers, pattern):
    made = Table({"t": NumberColumn(np.array(numbers, float), True)}, "data.csv")
    read = read_time_column(made, "t")
    assert (read.pattern, read.is_step) == (pattern, pattern is None)


@pytest.mark.parametrize("numbers", [[2019.1, 2020.1], [2019.01, 2020.13], [2019.011, 2020.01], [2019.0, 2020.01]])
def test_numbers_that_may_not_be_months(numbers):
    made = Table({"t": NumberColumn(np.array(numbers))}, "data.csv")
    with pytest.raises(RunError, match=r"at row \d; times must be dates, such as 2020-01, or whole numbers"):
        read_time_column(made, "t")


def test_months_as_numbers_with_two_decimals():
    numbers = [2019.11, 2019.12, 2020.01, 2020.02]
    read = read_time_column(Table({"t": NumberColumn(np.array(numbers))}, "the frame"), "t")
    assert times_as_text(read.values, read.pattern, None) == ["2019.11", "2019.12", "2020.01", "2020.02"]


@pytest.mark.parametrize(("value", "shown"), [(0.5, "0.5"), (np.nan, "nothing"), (np.inf, "inf")])
def test_numbers_that_are_no_times(value, shown):
    made = Table({"t": NumberColumn(np.array([1, value]))}, "data.csv")
    with pytest.raises(RunError, match=f"has {shown} at row 1; times must be dates, such as 2020-01, or whole"):
        read_time_column(made, "t")


def test_times_of_frames():
    made = Table(
        {"t": TimeColumn(np.array([0, 1]), "Europe/Berlin"), "n": TimeColumn(np.array([0, 1]), None)}, "the frame"
    )
    assert read_time_column(made, "t").zone == "Europe/Berlin"
    assert read_time_column(made, "n").zone is None
    by_clock = read_time_column(made, "n", zone="Europe/Berlin")
    assert by_clock.utc(np.zeros(2, np.int64)).tolist() == [-3_600_000_000, -3_599_999_999]


@pytest.mark.parametrize(("pattern", "unit"), [("%s", 1), ("%3s", 1_000), ("%6s", 10**6), ("%9s", 10**9)])
def test_seconds_since_1970(pattern, unit):
    numbers = np.array([1_600_000_000, 1_600_003_600])
    made = Table({"t": NumberColumn(np.array(numbers * unit, float), True)}, "data.csv")
    read = read_time_column(made, "t")
    assert (read.pattern, read.zone) == (pattern, "UTC")
    assert read.values.tolist() == (numbers * 10**6).tolist()
    assert times_as_text(read.values, pattern, "Europe/Berlin") == [str(number * unit) for number in numbers]


@pytest.mark.parametrize(
    ("pattern", "begin"), [("%Y-%m-%d %H:%M", ""), ("%Y-%m-%dT%H:%M%:z", "+02:00"), ("%-d.%-m.%Y", None)]
)
def test_many_texts_are_read_in_parts(monkeypatch, pattern, begin):
    local = np.arange(1000) * 86_400_000_000
    texts = write_times(pattern, local, np.zeros_like(local) if begin is None else np.full_like(local, 7_200_000_000))
    whole = read_times(pattern, texts)
    monkeypatch.setattr(time_patterns, "AT_ONCE", 150)
    for one, other in zip(read_times(pattern, texts), whole, strict=True):
        np.testing.assert_array_equal(one, other)
    assert read_times(pattern, [*texts[:400], "soon", *texts[400:]])[2] == 400
