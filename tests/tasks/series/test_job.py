"""The forecasting job: what it learns, leaves out and keeps."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

import recurra
from recurra.errors import RunError
from recurra.runtime import load_forecaster
from recurra.series.frequency import Frequency
from recurra.series.panel import make_panel
from recurra.series.windows import ordered
from recurra.tasks.run import create_run
from recurra.tasks.series.job import SeriesJob
from recurra.tasks.series.job import ordered as ordered_tensor
from recurra.tasks.series.settings import SeriesSettings
from recurra.tasks.series.training import train_series

MONTHS = Frequency("MS")


def wave(length=120, seed=0):
    steps = np.arange(length)
    noise = np.random.default_rng(seed).normal(size=length)
    return 50 + 0.1 * steps + 10 * np.sin(2 * np.pi * steps / 12) + noise


def job(series=None, **changes):
    return SeriesJob(make_panel(series or [wave()], MONTHS), SeriesSettings(**{"horizon": 6, "steps": 8, **changes}))


def bits(module):
    return [weight.numpy().tobytes() for weight in module.state_dict().values()]


def test_members_learn_from_nothing_that_they_leave_out():
    for series in ([wave()], [wave(150, seed) for seed in range(12)], [wave(20 + seed, seed) for seed in range(12)]):
        data = job(series).data
        for trained, left_out in zip(data.trained, data.left_out, strict=True):
            for row in left_out:
                same = data.places.which[trained] == data.places.which[row]
                distance = np.abs(data.places.origins[trained][same] - data.places.origins[row])
                assert (distance >= 6).all()
        assert len(np.concatenate(data.left_out)) == len(np.unique(np.concatenate(data.left_out)))


def test_a_seed_gives_the_same_bits_with_any_number_of_threads():
    found, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            trained = job([wave(400)], members=2)
            train_series(trained)
            found.append((bits(trained.module), trained.recipe().to_content()))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]
    other = job(members=2, seed=1)
    train_series(other)
    assert bits(other.module) != found[0][0]


def test_an_interrupted_training_goes_on_with_the_same_bits(tmp_path):
    class Stop:
        def on_step(self, step):
            if step.step == 3:
                os.kill(os.getpid(), signal.SIGINT)

        def on_evaluation(self, evaluation):
            pass

        def on_end(self, outcome):
            pass

    whole = job()
    train_series(whole)
    run = create_run(tmp_path / "run", {"task": "series"})
    assert train_series(job(), run, [Stop()]).signal is not None
    resumed = job()
    assert train_series(resumed, run, resumes=True).signal is None
    assert bits(resumed.module) == bits(whole.module)
    assert load_forecaster(tmp_path / "run").recipe == whole.recipe()


@pytest.mark.parametrize("length", [120, 400])
def test_torch_and_the_runtime_forecast_the_same(length, tmp_path):
    trained = job([wave(length)], cell="lstm", members=2)
    assert bool(trained.data.recipe.linear_weights) == (length == 400)
    train_series(trained)
    trained.module.eval()
    recurra.save(trained.module, tmp_path / "model.safetensors", annotations=trained.annotations)
    model = load_forecaster(tmp_path / "model.safetensors")
    panel = make_panel([wave(length)], MONTHS)
    reader = trained.data.reader
    encoded = reader.encode(reader.ends())
    with torch.no_grad():
        outputs = trained.module(torch.from_numpy(encoded.past), torch.from_numpy(encoded.future))
    networks = np.mean([ordered(each.numpy().astype(float), 5).transpose(1, 0, 2) for each in outputs], axis=0)
    expected = encoded.decode(networks, trained.recipe())
    np.testing.assert_allclose(model.forecast(panel).quantiles, expected, rtol=1e-6)


def test_it_learns_more_than_the_naive_forecasts():
    trained = job([wave(seed=seed) for seed in range(4)], steps=60)
    train_series(trained)
    recipe = trained.recipe()
    assert recipe.gain is not None
    assert recipe.gain > 0.05
    assert 0.7 < recipe.coverage[0] < 0.9
    assert recipe.network_weight > 0


def test_a_random_walk_is_forecast_by_the_best_naive_forecast():
    walk = np.cumsum(np.random.default_rng(0).normal(size=300))
    trained = job([walk], steps=2)
    train_series(trained)
    recipe = trained.recipe()
    if recipe.gain is not None and recipe.gain <= 0:
        assert recipe.network_weight == 0
        assert max(map(max, recipe.reference_weights)) == 1


@pytest.mark.parametrize("values", [np.zeros(60), np.full(60, 7.0), np.arange(60) % 2 * 1e12, np.arange(60) * 1e-12])
def test_awkward_series_give_finite_forecasts(values, tmp_path):
    trained = job([values])
    train_series(trained)
    recurra.save(trained.module, tmp_path / "m.safetensors", annotations=trained.annotations)
    forecast = load_forecaster(tmp_path / "m.safetensors").forecast(make_panel([values], MONTHS))
    assert np.isfinite(forecast.quantiles).all()
    if len(set(values)) == 1:
        assert (forecast.quantiles == values[0]).all()


def test_too_short_series_are_refused_in_one_line():
    with pytest.raises(RunError, match="a horizon of 6 needs 8 values or more, and the longest series has 5"):
        job([wave(5)])
    with pytest.raises(
        RunError, match=r"a horizon of 94 needs 1.. values or more, and .* has 96; --horizon .. would do"
    ):
        job([wave(96)], horizon=94)


def test_the_order_of_quantiles_is_that_of_the_runtime():
    outputs = np.random.default_rng(0).normal(size=(3, 2, 11))
    np.testing.assert_allclose(ordered_tensor(torch.from_numpy(outputs), 5).numpy(), ordered(outputs, 5), rtol=1e-12)


def test_settings_out_of_range_are_refused():
    with pytest.raises(RunError, match="--members"):
        replace(SeriesSettings(horizon=3), members=0).check()
