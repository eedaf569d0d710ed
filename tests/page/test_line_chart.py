"""Line charts: what is drawn, read out and written in the table."""

import re

import numpy as np
import pytest

from recurra.page.line_chart import Line, LineChart
from tests.page.elements import Elements, of_class, readout_of


def chart(*lines, **options):
    return LineChart("Loss", lines, "update", "nats", **options).html()


def test_lines_of_different_places():
    html = chart(Line("training", [0, 1, 2, 3], [4.0, 3.0, 2.5, 1 / 3]), Line("<valid>", [1, 3], [3.5, 2.5], "dashed"))
    places, heads, rows = readout_of(html)
    assert heads == ["update 0", "update 1", "update 2", "update 3"]
    assert rows == {"training": ["4", "3", "2.5", "0.33333"], "<valid>": ["", "3.5", "", "2.5"]}
    assert places == sorted(places)
    assert [len(of_class(html, f"series{number}")) for number in (0, 1, 2)] == [2, 2, 0]  # the line and its key
    assert len(of_class(html, "dashed")) == 2
    assert "<valid>" in Elements(html).text


def test_a_gap_breaks_the_line_and_a_lone_point_is_a_dot():
    html = chart(Line("a", [0, 1, 2, 3, 4], [1, 2, np.nan, 3, np.inf]))
    (line,) = [attrs for attrs in of_class(html, "series0") if attrs.get("d", "").count("M") > 1]
    assert line["d"].count("M") == 2
    assert len(of_class(html, "dot")) == 1
    assert readout_of(html)[2]["a"] == ["1", "2", "", "3", ""]


def test_a_logarithmic_axis_leaves_out_what_is_not_positive():
    html = chart(Line("a", [0, 1, 2, 3], [1e-9, 0.0, -1.0, 1.0]), log_y=True)
    assert readout_of(html)[2]["a"] == ["1e-09", "", "", "1"]
    marks = Elements(html).text
    assert "10⁻⁸" in marks


def test_long_lines_keep_their_extremes_and_say_what_is_missing():
    values = np.sin(np.arange(10_000.0))
    values[1234], values[5678] = 9.5, -7.25
    html = chart(Line("a", np.arange(10_000), values))
    _, heads, rows = readout_of(html)
    assert len(heads) <= 600
    assert {"9.5", "-7.25"} <= set(rows["a"])
    assert (heads[0], heads[-1]) == ("update 0", "update 9,999")
    assert f"a: {len(heads)} of 10,000 points are drawn" in Elements(html).text
    assert len(html) < 60_000


def test_whole_places_have_whole_marks():
    assert re.findall('<span style="left:50.00%">(.*?)</span>', chart(Line("a", [167], [2.0]))) == ["167"]
    assert re.findall('<span style="left:.*?%">(.*?)</span>', chart(Line("a", [1, 3], [2.0, 1.0]))) == ["1", "2", "3"]
    assert ">1.5<" in chart(Line("a", [1.0, 1.25, 3.0], [2.0, 1.0, 1.0]))


@pytest.mark.parametrize("log_y", [False, True])
@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([0, 1], [1e308, -1e308]),
        ([0, 1], [1.0, 1.0 + 2**-52]),
        ([0, 1], [5e-324, 1e-323]),
        ([1e300], [3.0]),
        ([0, 1], [np.nan, np.inf]),
    ],
)
def test_numbers_at_the_edge_of_what_there_is(x, y, log_y):
    assert "nan" not in chart(Line("a", x, y), log_y=log_y)


def test_places_that_are_not_finite():
    with pytest.raises(ValueError, match="line 'a': x must be finite"):
        chart(Line("a", [0, np.inf], [1.0, 2.0]))


def test_a_lone_line_that_the_axis_names_needs_no_legend():
    assert not of_class(chart(Line("nats", [0, 1], [2.0, 1.0])), "keys")
    assert of_class(chart(Line("training", [0, 1], [2.0, 1.0])), "keys")


def test_every_line_has_its_look():
    html = chart(*(Line(str(number), [0, 1], [number, 1]) for number in range(8)))
    classes = {attrs["class"] for attrs in Elements(html).of("path")}
    assert len({each for each in classes if each.startswith("series")}) == 8


@pytest.mark.parametrize("log_y", [False, True])
@pytest.mark.parametrize("values", [[], [np.nan, np.nan], [2.0], [1e300, 1e-300], [0.0, 0.0], [-3.0, -3.0]])
def test_any_numbers_are_drawn(values, log_y):
    html = chart(Line("a", range(len(values)), values), log_y=log_y)
    for _, attrs in Elements(html).found:
        assert not {"nan", "inf"} & {attrs.get(name) for name in ("cx", "cy", "x", "y", "x1", "y1")}
        assert "nan" not in attrs.get("d", "")


def test_wrong_lines_are_refused():
    with pytest.raises(ValueError, match=r"line 'a': x and y must be \(points,\) of one length; got \(3,\) and \(2,\)"):
        chart(Line("a", [1, 2, 3], [1, 2]))
    with pytest.raises(ValueError, match="the chart 'Loss' has no lines"):
        chart()
