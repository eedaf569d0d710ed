"""What is said of a backtest is true: better or not, and whether the intervals hold what they should."""

from types import SimpleNamespace

import numpy as np
import pytest

from recurra.series.metrics import Measures
from recurra.tasks.series.verdict import rows_of, sentences, training_facts, training_sentences
from tests.series import recipes


def measures(mase, coverage=(0.8, 0.9), count=1000):
    numbers = {"mae": mase, "rmse": mase, "smape": 0.1, "mase": mase, "wql": mase / 10, "width80": 2.0, "width90": 3.0}
    numbers |= {"coverage80": coverage[0], "coverage90": coverage[1]}
    return Measures(np.array(count), **{name: np.array(number) for name, number in numbers.items()})


def said(own, naive=(1.0, 0.8)):
    return sentences({"model": own, "last value": measures(naive[0]), "seasonal naive": measures(naive[1])})


@pytest.mark.parametrize(
    ("own", "text"),
    [
        (
            0.4,
            "Its error is 50 % smaller than that of the best naive forecast, seasonal naive: MASE 0.400 against 0.800",
        ),
        (0.88, "It is NOT better than the best naive forecast, seasonal naive: its error is 10 % larger"),
        (0.801, "It errs as much as the best naive forecast, seasonal naive"),
    ],
)
def test_the_comparison(own, text):
    first, _ = said(measures(own))
    assert first.startswith(text)
    assert first.endswith("(1,000 values).")


def test_naive_forecasts_without_errors():
    assert "errs as much as" in said(measures(0.0), (0.0, 0.0))[0]
    assert "NOT better" in said(measures(0.1), (0.0, 0.0))[0]
    assert "NOT" not in said(measures(0.1), (float("nan"), float("nan")))[0]


@pytest.mark.parametrize(
    ("coverage", "count", "text"),
    [
        ((0.8, 0.9), 1000, "held 80 % of the values, its 90 % interval 90 %: they hold what they promise."),
        ((0.6, 0.7), 1000, "too narrow"),
        ((0.99, 1.0), 1000, "wider than they need be"),
        ((0.6, 0.7), 24, "of so few values this says little"),
    ],
)
def test_the_intervals(coverage, count, text):
    assert text in said(measures(0.5, coverage, count))[1]


def test_nothing_to_compare_with():
    (only,) = said(measures(float("nan"), (float("nan"), float("nan")), 0))
    assert "nothing is known of its errors" in only


def test_the_table_has_the_best_naive_forecast_first():
    head, own, *naive = rows_of({"model": measures(0.5), "last value": measures(1.0), "seasonal naive": measures(0.8)})
    assert head[1:3] == ("MASE", "WQL")
    assert own[:2] == ("recurra", "0.500")
    assert [row[0] for row in naive] == ["seasonal naive", "last value"]
    assert own[-2:] == ("80 %", "90 %")


def recipe(**figures):
    facts = {"naive": "seasonal naive", "left_out": 1000, "coverage": (0.8, 0.9), "network_weight": 0.5, "gain": 0.2}
    return SimpleNamespace(horizon=6, **{**facts, **figures})


@pytest.mark.parametrize(
    ("figures", "first", "count"),
    [
        (
            {},
            "On left-out data its error is 20 % smaller than that of the best naive forecast, seasonal naive (1,000",
            2,
        ),
        ({"gain": 0.001}, "On left-out data its error is about that of the best naive forecast", 2),
        ({"network_weight": 0.0}, "On left-out data its error is 20 % smaller", 3),
        (
            {"gain": -0.1},
            "On left-out data it was NOT better than the best naive forecast, seasonal naive: its error",
            3,
        ),
        (
            {"gain": 0.0},
            "On left-out data it was NOT better than the best naive forecast, seasonal naive: its error was as",
            3,
        ),
        ({"gain": None, "left_out": 0}, "No values were left out of the training", 1),
        (
            {"gain": None},
            "On left-out data it was NOT better than the best naive forecast, seasonal naive: that makes no error",
            3,
        ),
        ({"left_out": 0}, "No values were left out of the training", 1),
        ({"coverage": ()}, "On left-out data its error is 20 % smaller", 1),
    ],
)
def test_what_is_said_of_a_training(figures, first, count):
    said = training_sentences(recipe(**figures))
    assert said[0].startswith(first)
    assert len(said) == count


@pytest.mark.parametrize(
    ("weight", "second"),
    [(0.0, "So it forecasts with that one, seasonal naive, alone."), (1.0, "It forecasts with its network")],
)
def test_what_a_model_does_that_is_not_better(weight, second):
    assert training_sentences(recipe(gain=-0.1, network_weight=weight))[1].startswith(second)


@pytest.mark.parametrize(("inside", "much"), [(1.0, "all"), (0.99, "99 %")])
def test_intervals_without_width_are_explained(inside, much):
    facts = {"naive": "last value", "gain": 0.0, "network_weight": 0.0, "coverage": (inside, inside), "left_out": 200}
    certain = recipes.recipe(**facts)
    assert training_sentences(certain)[-1] == (
        f"Its intervals have no width, as it forecast {much} of the values without any error."
    )
    quantiles = ((*certain.reference_quantiles[0][:-1], 1.0),) * certain.horizon
    assert "interval held" in training_sentences(recipes.recipe(**facts, reference_quantiles=quantiles))[-1]


def test_the_facts_of_a_training():
    facts = training_facts(recipe(coverage=()))
    assert (facts["gain"], facts["best_naive"], facts["coverage80"]) == (0.2, "seasonal naive", None)
