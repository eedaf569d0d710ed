"""Heat maps: colours, the numbers that are read out, and what a page leaves out."""

import base64
import json

import numpy as np
import pytest

from recurra.page.heat_map import HeatMap, colours
from tests.page.elements import Elements, of_class


def labelled(values, **options):
    rows, columns = np.shape(values)
    names = [f"unit {number}" for number in range(rows)], [f"step {number}" for number in range(columns)]
    return HeatMap("States", values, *names, **options).html()


def content_of(html):
    (cells,) = of_class(html, "cells")
    return json.loads(cells["data-cells"])


def numbers_of(html):
    """The texts of all cells, as the page's script reads them."""
    content = content_of(html)
    if "texts" in content:
        return content["texts"].split("|")
    packed = np.frombuffer(base64.b64decode(content["numbers"]), f"<i{content['bits'] // 8}").tolist()
    missing, digits = -(2 ** (content["bits"] - 1)), content["digits"]
    return ["nan" if number == missing else f"{number / 10**digits:.{digits}f}" for number in packed]


@pytest.mark.parametrize("form", [".3f", ".1f", ".0f", ".6f", ".3g", ".2e", "+.2f"])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 40.0, 1e9])
def test_the_page_has_pythons_numbers(form, scale):
    values = np.random.default_rng(0).normal(size=(5, 7)) * scale
    values[2, 3] = np.nan
    expected = [format(value, form) for value in values.ravel()]
    expected = [text if float(text) else text.replace("-", "") for text in expected]  # zero has no sign
    found = numbers_of(labelled(values, value_format=form))
    assert [text.replace("+0", "0") if not float(text) else text for text in found] == [
        text.replace("+0", "0") if not float(text) else text for text in expected
    ]


def test_infinite_numbers_are_read_out():
    assert numbers_of(labelled([[np.inf, -1.0, np.nan]])) == ["inf", "-1.000", "nan"]


def test_three_digits_take_two_bytes():
    html = labelled(np.random.default_rng(0).uniform(-1, 1, (64, 180)))
    assert content_of(html)["bits"] == 16
    assert len(html) < 64 * 180 * 5 + 8_000


@pytest.mark.parametrize(("shape", "kept"), [((64, 180), (64, 180)), ((512, 1000), (40, 300)), ((4, 2500), (4, 1000))])
def test_a_page_says_what_it_leaves_out(shape, kept):
    values = np.zeros(shape)
    values[-1, -1] = 9.0
    html = labelled(values)
    content = content_of(html)
    assert (len(content["rows"]), len(content["columns"])) == kept
    assert len(numbers_of(html)) == kept[0] * kept[1]
    text = Elements(html).text
    for some, every, name in zip(kept, shape, ("rows", "columns"), strict=True):
        assert (f"the first {some:,} of {every:,} {name}" in text) == (some < every)
    assert ("highest 9.000" in text) == (kept == shape)


def test_the_extremes_are_named():
    text = Elements(labelled([[0.5, -2.0], [np.nan, 3.0]])).text
    assert "Lowest -2.000 at unit 0, step 1; highest 3.000 at unit 1, step 1." in text
    assert "No cell has a number." in Elements(labelled([[np.nan]])).text


def test_zero_is_in_the_middle_of_a_diverging_scale():
    red, green, blue = np.moveaxis(
        colours(np.array([[-2.0, 0.0, 2.0, 9.0, np.nan]]), -2.0, 2.0, "diverging").astype(int), 2, 0
    )
    assert blue[0, 0] > red[0, 0]
    assert red[0, 2] > blue[0, 2]
    assert min(red[0, 1], green[0, 1], blue[0, 1]) > 230
    assert red[0, 3] == red[0, 2]
    assert (red[0, 4], green[0, 4], blue[0, 4]) == (138, 146, 156)


def test_a_sequential_scale_becomes_darker():
    light = colours(np.linspace(0, 1, 20)[None], 0.0, 1.0, "sequential").sum(2, dtype=int)[0]
    assert (np.diff(light) < 0).all()


@pytest.mark.parametrize(
    ("options", "ends"),
    [
        ({}, ["-3.000", "0.000", "3.000"]),
        ({"high": 1.0}, ["-1.000", "0.000", "1.000"]),
        ({"low": -5.0}, ["-5.000", "0.000", "5.000"]),
        ({"scale": "sequential"}, ["-3.000", "-1.000", "1.000"]),
        ({"scale": "sequential", "low": 0.0, "high": 2.0}, ["0.000", "1.000", "2.000"]),
    ],
)
def test_the_ends_of_the_scale(options, ends):
    html = labelled([[-3.0, 1.0]], **options)
    assert "".join(f"<span>{end}</span>" for end in ends) in html


def test_names_are_text():
    html = HeatMap('"<b>"', [[1.0, 2.0, 3.0]], ["<i>"], ["&\n", " ", " a b"]).html()
    page = Elements(html)
    assert not page.of("b")
    assert content_of(html)["columns"] == ["&↵", "␣", "␣a b"]
    assert "<i>" in page.text


@pytest.mark.parametrize(
    ("values", "rows", "message"),
    [
        (np.zeros(3), ["a"], r"needs values \(rows, columns\), and some; got \(3,\)"),
        (np.zeros((0, 1)), [], r"and some; got \(0, 1\)"),
        (np.zeros((2, 1)), ["a"], r"values \(2, 1\) need as many labels of rows and columns; got \(1, 1\)"),
    ],
)
def test_wrong_values_are_refused(values, rows, message):
    with pytest.raises(ValueError, match=message):
        HeatMap("x", values, rows, ["b"]).html()
