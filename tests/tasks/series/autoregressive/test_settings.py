"""Settings out of range are refused by the names of their options."""

from dataclasses import replace

import pytest

from recurra.errors import RunError
from recurra.tasks.series.autoregressive.settings import AutoregressiveSettings
from recurra.tasks.training.settings import TrainingSettings

SETTINGS = AutoregressiveSettings(12)


def test_the_defaults_are_in_range():
    SETTINGS.check()


@pytest.mark.parametrize(
    ("change", "option"),
    [
        ({"horizon": 0}, "--horizon"),
        ({"horizon": 10_001}, "--horizon"),
        ({"context": 0}, "--context"),
        ({"likelihood": "cauchy"}, "--likelihood"),
        ({"cell": "none"}, "--cell"),
        ({"hidden": 0}, "--hidden"),
        ({"layers": 101}, "--layers"),
        ({"dropout": 1.5}, "--dropout"),
        ({"batch_size": 0}, "--batch-size"),
        ({"updates": 0}, "--updates"),
        ({"seed": -1}, "--seed"),
        ({"training": TrainingSettings(clip=0)}, "--clip"),
    ],
    ids=str,
)
def test_settings_out_of_range(change, option):
    with pytest.raises(RunError, match=option):
        replace(SETTINGS, **change).check()
