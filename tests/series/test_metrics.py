"""Measures beside loops over single values, with gaps, zeros and missing levels."""

import math

import numpy as np
import pytest

from recurra.series.forecast import LEVELS
from recurra.series.metrics import NAMES, ORIGIN, SERIES, STEP, measure, scale_of, table

RANDOM = np.random.default_rng(3)
ACTUAL = RANDOM.normal(5, 3, (3, 4, 5))
ACTUAL[0, 1, 2] = ACTUAL[2, :, 0] = math.nan
QUANTILES = np.sort(RANDOM.normal(5, 3, (3, 4, 5, len(LEVELS))), -1)
SCALES = np.array([1.0, 2.5, 0.5])


def plainly(places):
    """The measures of some places, each by a loop."""
    places = [place for place in places if not math.isnan(ACTUAL[place])]
    pairs = [(float(ACTUAL[place]), QUANTILES[place]) for place in places]
    errors = [abs(y - q[5]) for y, q in pairs]
    pinball = [
        2 * ((y - q[k]) * LEVELS[k] if y > q[k] else (q[k] - y) * (1 - LEVELS[k]))
        for y, q in pairs
        for k in range(1, 10)
    ]
    count = len(pairs)
    return {
        "count": count,
        "mae": sum(errors) / count,
        "rmse": math.sqrt(sum(e * e for e in errors) / count),
        "smape": sum(2 * abs(y - q[5]) / (abs(y) + abs(q[5])) for y, q in pairs) / count,
        "mase": sum(e / SCALES[place[0]] for e, place in zip(errors, places, strict=True)) / count,
        "wql": sum(pinball) / 9 / sum(abs(y) for y, _ in pairs),
        "coverage80": sum(q[1] <= y <= q[9] for y, q in pairs) / count,
        "width80": sum(q[9] - q[1] for _, q in pairs) / count,
        "coverage90": sum(q[0] <= y <= q[10] for y, q in pairs) / count,
        "width90": sum(q[10] - q[0] for _, q in pairs) / count,
    }


@pytest.mark.parametrize("by", [None, SERIES, ORIGIN, STEP])
def test_measures_are_those_of_a_loop(by):
    found = measure(ACTUAL, QUANTILES, LEVELS, SCALES, by)
    groups = [None] if by is None else range(ACTUAL.shape[by])
    expected = [
        plainly(place for place in np.ndindex(ACTUAL.shape) if by is None or place[by] == group) for group in groups
    ]
    assert [list(each) for each in found.records()] == [list(NAMES)] * len(expected)
    for ours, theirs in zip(found.records(), expected, strict=True):
        assert ours == pytest.approx(theirs)
    assert found.mae.shape == (() if by is None else (ACTUAL.shape[by],))


def test_there_may_be_nothing_to_measure():
    empty = np.full((1, 1, 2), math.nan)
    (record,) = measure(empty, np.zeros((1, 1, 2, 11)), LEVELS, [1.0]).records()
    assert record == {**dict.fromkeys(NAMES), "count": 0}


def test_zeros_and_missing_levels():
    found = measure(np.zeros((1, 1, 2)), np.zeros((1, 1, 2, 1)), (0.5,), [1.0])
    assert found.smape == found.mase == 0
    assert np.isnan([found.wql, found.coverage80, found.width90]).all()
    assert table({"model": found}, ("mae", "wql", "count")) == [("", "mae", "wql", "count"), ("model", "0", "–", "2")]


def test_text_of_numbers():
    values = measure(np.full((1, 1, 1), 12345.678), np.zeros((1, 1, 1, 1)), (0.5,), [1e4])
    assert table({"m": values}, ("mae", "mase"))[1] == ("m", "1.235e+04", "1.235")


@pytest.mark.parametrize(
    ("history", "period", "expected"),
    [
        ([1, 2, 4, 7, 11], 2, (3 + 5 + 7) / 3),
        ([1, math.nan, 4, 7, 11], 2, (3 + 7) / 2),
        ([1, 2, 1, 2, 1, 2], 2, 1.0),
        ([1, 2, 4], 12, 1.5),
        ([3, 3, 3, 3], 2, 3.0),
        ([0, 0, 0], 1, 1.0),
        ([math.nan], 1, 1.0),
        ([], 4, 1.0),
    ],
)
def test_scales(history, period, expected):
    assert scale_of(history, period) == pytest.approx(expected)
