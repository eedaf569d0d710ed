"""Forecasters from run folders: without torch, and damaged ones."""

import json
import subprocess
import sys

import numpy as np
import pytest

from recurra.errors import RunError
from recurra.tasks.run import open_run
from recurra.tasks.series.autoregressive.job import AutoregressiveJob
from recurra.tasks.series.autoregressive.loading import load_sampler
from recurra.tasks.series.autoregressive.settings import AutoregressiveSettings
from recurra.tasks.series.autoregressive.training import create_autoregressive_run, train_autoregressive
from recurra.tasks.training.settings import TrainingSettings
from tests.series.grids import panel_of

SETTINGS = AutoregressiveSettings(3, hidden=4, updates=1, training=TrainingSettings(epochs=1))


@pytest.fixture
def folder(tmp_path):
    job = AutoregressiveJob(panel_of(np.arange(50.0) - 20), SETTINGS)
    train_autoregressive(job, create_autoregressive_run(job, tmp_path / "run"))
    return tmp_path / "run"


def test_a_forecaster_needs_no_torch(folder):
    source = (
        "import sys, pathlib; sys.modules['torch'] = None\n"
        "from recurra.tasks.run import open_run\n"
        "from recurra.tasks.series.autoregressive.loading import load_sampler\n"
        "from tests.series.grids import panel_of\n"
        f"sampler = load_sampler(open_run(pathlib.Path({str(folder)!r}), 'series'))\n"
        "print(sampler.forecast(panel_of(range(50))).quantiles.tolist())\n"
    )
    found = json.loads(subprocess.run([sys.executable, "-c", source], check=True, capture_output=True).stdout)
    sampler = load_sampler(open_run(folder, "series"))
    np.testing.assert_array_equal(sampler.forecast(panel_of(range(50))).quantiles, found)


def change(folder, **fields):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return open_run(folder, "series")


def test_other_models_are_refused(folder):
    with pytest.raises(RunError, match="a run of the model 'direct', not of 'autoregressive'"):
        load_sampler(change(folder, model="direct"))


def test_damaged_recipes_are_refused(folder):
    recipe = open_run(folder, "series").config["recipe"]
    with pytest.raises(RunError, match=r"config.json is damaged: .* must hold"):
        load_sampler(change(folder, recipe=None))
    with pytest.raises(RunError, match=r"does not fit config.json: the recipe needs a network from 3 features to 3"):
        load_sampler(change(folder, recipe={**recipe, "lags": [1, 5]}))


def test_a_run_without_a_model(tmp_path):
    job = AutoregressiveJob(panel_of(np.arange(50.0)), SETTINGS)
    with pytest.raises(RunError, match="the run has no model yet"):
        load_sampler(create_autoregressive_run(job, tmp_path / "run"))
