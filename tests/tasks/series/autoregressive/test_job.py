"""The autoregressive job: its loss beside the runtime's, its windows, gaps, what is left out; it learns and resumes."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from recurra.errors import RunError
from recurra.nn.parts import describe
from recurra.runtime import Model, load_forecaster
from recurra.runtime.paths import PathSampler
from recurra.series.autoregressive.windows import StepReader
from recurra.series.backtest import backtest
from recurra.series.forecast import LEVELS
from recurra.series.metrics import measure
from recurra.tasks.run import create_run, open_run
from recurra.tasks.series.autoregressive.job import AutoregressiveJob
from recurra.tasks.series.autoregressive.settings import AutoregressiveSettings
from recurra.tasks.series.training import train_series
from recurra.tasks.training.settings import TrainingSettings
from tests.series.grids import panel_of

RANDOM = np.random.default_rng(11)
NOISE = RANDOM.normal(0, 1, (3, 60))
COUNTS = RANDOM.poisson(3, (3, 60)).astype(float)
CONFIG = {"task": "series"}
SETTINGS = AutoregressiveSettings(
    4, context=8, hidden=6, layers=1, batch_size=8, updates=5, training=TrainingSettings(lr=0.01, epochs=2)
)


@pytest.mark.parametrize("likelihood", ["normal", "student-t", "negative-binomial", "poisson"])
def test_the_loss_is_the_likelihood_that_the_runtime_gives(likelihood):
    panel = panel_of(*(COUNTS if likelihood in ("poisson", "negative-binomial") else NOISE * 1e6))
    job = AutoregressiveJob(panel, replace(SETTINGS, likelihood=likelihood))
    total, count = job.evaluate(lambda: False)
    sampler = PathSampler(Model(describe(job.network.eval())), job.recipe)
    expected = sampler.log_likelihood(panel, 4)
    if job.recipe.is_centred:  # the loss is by scaled units
        contexts = NOISE[:, 48:56] * 1e6
        scales = np.abs(contexts - contexts.mean(1, keepdims=True)).mean(1)
        expected = expected + np.log(scales)[:, None]
    assert count == 12
    assert total == pytest.approx(-expected.sum(), rel=1e-4)


def test_windows_are_drawn_from_all_places_alike():
    job = AutoregressiveJob(panel_of(NOISE[0], NOISE[1][:30]), replace(SETTINGS, batch_size=20_000))
    job.begin_epoch(1)
    rows, origins, until = job.places(0)
    assert set(until[rows == 0]) == {56}
    assert set(until[rows == 1]) == {26}
    places, counts = np.unique(np.stack([rows, origins]), axis=1, return_counts=True)
    assert places[1][places[0] == 0].tolist() == list(range(8, 53))
    assert places[1][places[0] == 1].tolist() == list(range(8, 23))
    assert counts.std() / counts.mean() < 0.1


def test_windows_are_functions_of_their_numbers():
    jobs = [AutoregressiveJob(panel_of(*NOISE), SETTINGS) for _ in range(2)]
    for job in jobs:
        job.begin_epoch(3)
    assert np.array_equal(jobs[0].places(2), jobs[1].places(2))
    assert not np.array_equal(jobs[0].places(2), jobs[1].places(1))
    jobs[1].begin_epoch(4)
    assert not np.array_equal(jobs[0].places(2), jobs[1].places(2))
    assert jobs[0].windows_per_epoch == 5
    assert jobs[0].windows_per_evaluation == 1
    assert jobs[0].state_tensors() == []
    jobs[0].load_state_tensors([])
    with pytest.raises(RunError, match="carry no state"):
        jobs[0].load_state_tensors([torch.zeros(1)])


@pytest.mark.parametrize(("length", "is_left_out"), [(12, True), (11, False)])
def test_the_last_steps_are_left_out_where_they_are_few(length, is_left_out):
    values = NOISE[0, :length].copy()
    losses = []
    for _ in range(2):
        job = AutoregressiveJob(panel_of(values), replace(SETTINGS, dropout=0.0, batch_size=64, likelihood="normal"))
        losses.append((float(job.loss(0)[0].detach()), job.evaluate(lambda: False)[0]))
        values[-4:] += 0.1
    assert (losses[0][0] == losses[1][0]) is is_left_out
    assert losses[0][1] != losses[1][1]


def test_missing_values_have_no_loss_and_no_gradient_of_nan():
    values = NOISE.copy()
    values[:, 10:40:3] = math.nan
    values[0, 56:] = math.nan
    job = AutoregressiveJob(panel_of(*values), SETTINGS)
    total, count = job.evaluate(lambda: False)
    assert count == 8
    assert math.isfinite(total)
    loss, count = job.loss(0)
    loss.backward()
    rows, origins, until = job.places(0)
    seen = [
        ~np.isnan(values[row, first : min(first + 4, end)])
        for row, first, end in zip(rows, origins, until, strict=True)
    ]
    assert count == sum(map(np.count_nonzero, seen))
    assert all(bool(parameter.grad.isfinite().all()) for parameter in job.network.parameters())
    assert job.network.training


def test_gaps_are_filled_with_mean_forecasts():
    values = NOISE[:1].copy()
    values[0, 53] = math.nan
    panel = panel_of(values[0])
    job = AutoregressiveJob(panel, replace(SETTINGS, likelihood="normal"))
    windows = job._reader.windows(np.array([0]), np.array([56]), 4)
    filled = job._filled(windows)
    sampler = PathSampler(Model(describe(job.network.eval())), job.recipe)
    expected = sampler._read(StepReader(panel, sampler.recipe).windows(np.array([0]), np.array([56]), 4), 4)[2]
    place = job.recipe.reach - 3
    assert filled[0, place] == pytest.approx(expected[0, place], rel=1e-4)
    assert np.isnan(windows.values[0, place])


def test_the_likelihood_follows_from_the_data():
    assert AutoregressiveJob(panel_of(*NOISE), SETTINGS).recipe.likelihood == "student-t"
    assert AutoregressiveJob(panel_of(*COUNTS), SETTINGS).recipe.likelihood == "negative-binomial"


def test_the_figures_are_of_what_was_left_out():
    """The recipe has the error of the last steps beside that of the best naive forecast there."""
    panel = panel_of(*(np.abs(NOISE) + 1), [5.0, 6, 7, 8, 9, 8, 7])
    job = AutoregressiveJob(panel, SETTINGS, least=0.0)
    assert job.recipe.left_out == 0
    recipe = job.annotations["autoregressive"]
    assert job.network.training
    assert replace(recipe, naive="", gain=None, coverage=(), left_out=0) == job.recipe
    assert recipe.least == 0
    assert recipe.left_out == 12  # the fourth series is too short
    whole = panel.take(np.arange(3))
    sampler = PathSampler(Model(describe(job.network.eval())), job.recipe)
    tested = backtest(sampler.forecast, whole, 4, 1, period=1)
    assert recipe.naive == tested.best_naive()
    assert recipe.gain == 1 - tested.measures().mase / tested.measures(recipe.naive).mase
    assert recipe.coverage == (tested.measures().coverage80, tested.measures().coverage90)


@pytest.mark.parametrize("values", [NOISE[0, :11], [*NOISE[0], *[math.nan] * 4]], ids=len)
def test_nothing_is_said_where_nothing_can_be(values):
    job = AutoregressiveJob(panel_of(values), SETTINGS)
    assert job.annotations["autoregressive"] == job.recipe


def test_a_naive_forecast_that_makes_no_error():
    recipe = AutoregressiveJob(panel_of(np.full(40, 3.0)), SETTINGS).annotations["autoregressive"]
    assert (recipe.gain, recipe.left_out) == (None, 4)


def test_an_evaluation_may_be_stopped():
    job = AutoregressiveJob(panel_of(*NOISE), SETTINGS)
    assert job.evaluate(lambda: True) is None
    assert job.network.training


def test_inputs_of_the_past_are_refused():
    with pytest.raises(RunError, match="takes no past inputs: leave out rain, wind, or choose the model direct"):
        AutoregressiveJob(panel_of(*NOISE), SETTINGS, names=((), ("rain", "wind")))


def test_few_values_are_enough():
    job = AutoregressiveJob(panel_of([1.0, 2.0, 3.0], [math.nan] * 9, [5.0]), SETTINGS)
    rows, origins, _ = job.places(0)
    assert set(rows) == {0}
    assert set(origins) == {1}
    loss, count = job.loss(0)
    assert count == 16
    assert math.isfinite(float(loss.detach()))
    assert job.evaluate(lambda: False)[1] > 0


@pytest.mark.parametrize(
    ("targets", "settings", "message"),
    [
        ([[1.0, math.nan, 2.0]], SETTINGS, "3 observed values are needed, and the longest, 's0', has 2"),
        ([], SETTINGS, "there is no series to train on"),
        ([[1.0, 2.5, 3, 4]], replace(SETTINGS, likelihood="poisson"), "series 's0', value 2: 2.5 is no count"),
        ([[1.0]], replace(SETTINGS, horizon=0), "--horizon must be a whole number from 1"),
    ],
)
def test_what_is_refused(targets, settings, message):
    with pytest.raises(RunError, match=message):
        AutoregressiveJob(panel_of(*targets), settings)


def weights_of(folder):
    description = open_run(folder, "series").read_model()
    return {name: weight.values() for name, weight in description.weights.items()}


def test_a_run_is_repeated_and_resumed_to_the_same_bits(tmp_path):
    panel = panel_of(*NOISE)

    class Stop:
        """Stops a training as a signal would."""

        def on_step(self, step):
            if step.step == 4:
                raise KeyboardInterrupt

        def on_evaluation(self, evaluation):
            pass

        def on_end(self, outcome):
            pass

    settings = replace(SETTINGS, training=replace(SETTINGS.training, checkpoint_minutes=1e-9, evaluate_every=3))
    for name in ("one", "two"):
        job = AutoregressiveJob(panel, settings)
        assert train_series(job, create_run(tmp_path / name, CONFIG)).step == 10
    job = AutoregressiveJob(panel, settings)
    run = create_run(tmp_path / "three", CONFIG)
    with pytest.raises(KeyboardInterrupt):
        train_series(job, run, [Stop()])
    torch.manual_seed(99)
    job = AutoregressiveJob(panel, settings)
    assert train_series(job, open_run(tmp_path / "three", "series"), resumes=True).is_finished
    first, *others = (weights_of(tmp_path / name) for name in ("one", "two", "three"))
    for other in others:
        for name, values in first.items():
            np.testing.assert_array_equal(values, other[name])


@pytest.mark.filterwarnings("error")
def test_it_learns_a_sine_with_its_noise(tmp_path):
    steps = np.arange(120)
    values = [np.sin(steps * 2 * np.pi / 6 + phase) + RANDOM.normal(0, 0.1, 120) for phase in range(8)]
    training = TrainingSettings(lr=0.02, epochs=1, evaluate_every=60)
    settings = replace(SETTINGS, context=12, hidden=16, batch_size=32, updates=120, training=training, dropout=0.0)
    job = AutoregressiveJob(panel_of(*(each[:114] for each in values), seasons=(6,)), replace(settings, horizon=6))
    run = create_run(tmp_path / "run", CONFIG)
    outcome = train_series(job, run)
    assert outcome.is_finished
    model = load_forecaster(tmp_path / "run")
    forecast = model.forecast(job._reader.panel)
    actual = np.stack([each[114:] for each in values])
    found = measure(actual[:, None], forecast.quantiles[:, None], LEVELS, np.ones(8))
    assert float(found.mae) < 0.2
    assert 0.5 < float(found.coverage80) <= 1
    assert float(found.width80) < 1
