"""The settings of the models, from what a user says."""

import pytest

from recurra.errors import RunError
from recurra.tasks.series.autoregressive.settings import AutoregressiveSettings
from recurra.tasks.series.models import MODELS, make_settings
from recurra.tasks.series.settings import SeriesSettings


def test_each_model_has_its_own_defaults():
    assert make_settings(6) == SeriesSettings(6)
    assert make_settings(6, "autoregressive") == AutoregressiveSettings(6)
    assert [make_settings(6, name).model for name in MODELS] == ["direct", "autoregressive"]


@pytest.mark.parametrize("model", MODELS)
def test_what_is_said_counts(model):
    settings = make_settings(6, model, cell="mgu", seed=3, minutes=2.0)
    assert (settings.cell, settings.seed, settings.training.minutes) == ("mgu", 3, 2.0)
    assert settings.training.lr == MODELS[model](6).training.lr


def test_the_likelihood():
    assert make_settings(6, "autoregressive", likelihood="poisson").likelihood == "poisson"
    with pytest.raises(RunError, match="--likelihood is of --model autoregressive: leave it out, or choose that"):
        make_settings(6, likelihood="poisson")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"model": "arima"}, "--model must be one of direct, autoregressive; got 'arima'"),
        ({"model": "autoregressive", "likelihood": "cauchy"}, "--likelihood must be one of normal, student-t"),
        ({"cell": "brain"}, "--cell must be one of"),
        ({"minutes": -1.0}, "--minutes"),
    ],
)
def test_what_is_refused(said, message):
    with pytest.raises(RunError, match=message):
        make_settings(6, **said)
