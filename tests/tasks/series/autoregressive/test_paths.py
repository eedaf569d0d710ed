"""Sample paths: beside a loop in torch, of known distributions, with gaps, counts and known inputs; refusals."""

import math
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from recurra.errors import RecurraError, RunError
from recurra.nn.parts import describe
from recurra.runtime import Model
from recurra.runtime.paths import PathSampler
from recurra.series.autoregressive.recipe import make_recipe
from recurra.series.autoregressive.windows import StepReader, inputs_of
from recurra.series.forecast import LEVELS
from recurra.series.likelihoods import LIKELIHOODS, NUMPY
from recurra.tasks.series.autoregressive.network import make_network
from recurra.tasks.series.autoregressive.settings import AutoregressiveSettings
from tests.series.grids import panel_of

RANDOM = np.random.default_rng(9)
WALKS = RANDOM.normal(0, 1, (3, 40)).cumsum(1)
COUNTS = RANDOM.poisson(3, (3, 40)).astype(float)


def sampler_of(panel, likelihood="normal", horizon=6, seed=0, **options):
    """A sampler with an untrained network, and its module."""
    recipe = make_recipe(panel, horizon, likelihood, 8, known=["promo"] * panel.known[0].shape[1])
    torch.manual_seed(seed)
    network = make_network(recipe, AutoregressiveSettings(horizon, hidden=5, **options)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)
    return PathSampler(Model(describe(network)), recipe), network


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("options", [{}, {"cell": "gru", "layers": 1}], ids=str)
def test_paths_are_those_of_a_loop_of_whole_sequences(likelihood, options):
    """Each draw is repeated with the network run anew over all steps up to it, one path at a time."""
    panel = panel_of(*(COUNTS if LIKELIHOODS[likelihood].is_of_counts else WALKS), seasons=(4,))
    sampler, network = sampler_of(panel, likelihood, **options)
    recipe, samples = sampler.recipe, 3
    paths = sampler.paths(panel, samples=samples, seed=4)
    assert paths.shape == (3, samples, 6)
    windows = StepReader(panel, recipe).windows(np.arange(3), panel.lengths, 6)
    values = np.repeat(windows.values[:, None], samples, 1)
    scaled = (paths - windows.offset[:, None, None]) / windows.scale[:, None, None]
    values[:, :, recipe.reach :] = scaled
    for row in range(3):
        generator = np.random.default_rng([4, zlib.crc32(panel.ids[row].encode()), 40])
        one = StepReader(panel, recipe).windows(np.full(samples, row), np.full(samples, 40), 6)
        raw, _ = network(torch.from_numpy(inputs_of(recipe, one, values[row])))
        for step in range(6):
            output = raw[recipe.context + step].detach().double().numpy()
            parameters = LIKELIHOODS[likelihood].parameters(output, one.scale, NUMPY)
            drawn = LIKELIHOODS[likelihood].draw(parameters, generator)
            if LIKELIHOODS[likelihood].is_of_counts:
                assert paths[row, :, step].tolist() == pytest.approx(drawn.tolist())
            else:
                np.testing.assert_allclose(scaled[row, :, step], drawn, rtol=1e-3, atol=1e-4)


def test_draws_of_a_series_do_not_depend_on_others(monkeypatch):
    panel = panel_of(*WALKS)
    sampler, _ = sampler_of(panel)
    whole = sampler.paths(panel, samples=7)
    np.testing.assert_array_equal(sampler.paths(panel.take(np.array([2, 0])), samples=7), whole[[2, 0]])
    monkeypatch.setattr("recurra.runtime.paths.MOST_PATHS", 8)
    np.testing.assert_array_equal(sampler.paths(panel, samples=7), whole)
    assert (sampler.paths(panel, samples=7, seed=1) != whole).all()


def test_a_forecast_has_the_quantiles_of_the_paths():
    panel = panel_of(*WALKS)
    sampler, _ = sampler_of(panel)
    forecast = sampler.forecast(panel, 4, samples=50, seed=3)
    paths = sampler.paths(panel, 4, samples=50, seed=3)
    assert forecast.ids == panel.ids
    assert forecast.positions.tolist() == [40, 40, 40]
    for place, level in enumerate(LEVELS):
        np.testing.assert_allclose(forecast.quantiles[:, :, place], np.quantile(paths, level, axis=1))


def test_a_network_that_says_the_same_at_each_step():
    """Weights of zero: each step is normal with mean 1 and deviation log 2, and sums are of independent numbers."""
    panel = panel_of(WALKS[0] * 1e12)
    sampler, network = sampler_of(panel)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.output.bias[0] = 1
    sampler = PathSampler(Model(describe(network)), sampler.recipe)
    windows = StepReader(panel, sampler.recipe).windows(np.array([0]), panel.lengths, 1)
    paths = (sampler.paths(panel, 9, samples=4000)[0] - windows.offset) / windows.scale
    assert paths.mean() == pytest.approx(1, abs=0.02)
    assert paths.std() == pytest.approx(math.log(2), rel=0.03)
    assert paths.sum(1).std() == pytest.approx(3 * math.log(2), rel=0.05)


def test_gaps_are_read_as_the_mean_forecast():
    gappy, filled = WALKS[:1].copy(), WALKS[:1].copy()
    gappy[0, [33, 36, 37]] = math.nan
    panel = panel_of(gappy[0])
    sampler, network = sampler_of(panel)
    windows = StepReader(panel, sampler.recipe).windows(np.array([0]), panel.lengths, 0)
    for place in (33, 36, 37):
        reach = sampler.recipe.reach
        raw, _ = network(torch.from_numpy(inputs_of(sampler.recipe, windows, windows.values)))
        windows.values[0, place - 40 + reach] = float(raw[place - 32, 0, 0].detach())
        filled[0, place] = windows.offset[0] + windows.scale[0] * windows.values[0, place - 40 + reach]
    expected, _ = sampler.model(inputs_of(sampler.recipe, windows, windows.values))
    found, _, values = sampler._read(StepReader(panel, sampler.recipe).windows(np.array([0]), panel.lengths, 0), 0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(values, windows.values, rtol=1e-4, atol=1e-5)
    assert np.isfinite(sampler.paths(panel)).all()


@pytest.mark.parametrize("likelihood", ["student-t", "poisson"])
def test_log_likelihoods(likelihood):
    values = COUNTS[0] if likelihood == "poisson" else WALKS[0] * 50
    panel = panel_of(values)
    sampler, network = sampler_of(panel, likelihood)
    found = sampler.log_likelihood(panel, 3)[0]
    windows = StepReader(panel, sampler.recipe).windows(np.array([0]), np.array([37]), 3)
    raw, _ = network(torch.from_numpy(inputs_of(sampler.recipe, windows, windows.values)))
    parameters = LIKELIHOODS[likelihood].parameters(raw.detach().double()[-3:, 0].numpy(), windows.scale, NUMPY)
    if likelihood == "poisson":
        expected = torch.distributions.Poisson(torch.tensor(parameters[0])).log_prob(torch.tensor(values[-3:]))
    else:
        centre, spread, degrees = map(torch.tensor, parameters)
        scale = torch.from_numpy(windows.scale)
        place = windows.offset[0] + centre * scale
        expected = torch.distributions.StudentT(degrees, place, spread * scale).log_prob(torch.tensor(values[-3:]))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_surprise_has_a_low_likelihood():
    panel = panel_of(*WALKS[:2])
    sampler, _ = sampler_of(panel)
    panel.target[0][-1] += 100
    panel.target[1][-2] = math.nan
    found = sampler.log_likelihood(panel, 4)
    assert found[0].argmin() == 3
    assert np.isnan(found).tolist() == [[False] * 4, [False, False, True, False]]


def test_categories_and_known_inputs_matter():
    panel = replace(panel_of(*WALKS), known=tuple(RANDOM.normal(size=(3, 46, 1))), static=np.array([[1], [2], [3]]))
    sampler, _ = sampler_of(panel)
    before = sampler.paths(panel, samples=2)
    changed = sampler.paths(replace(panel, static=np.array([[0], [2], [99]])), samples=2)
    assert [np.array_equal(*pair) for pair in zip(before, changed, strict=True)] == [False, True, False]
    known = tuple(values + np.where(np.arange(46) == 43, 1, 0)[:, None] for values in panel.known)
    changed = sampler.paths(replace(panel, known=known), samples=2)
    np.testing.assert_array_equal(before[:, :, :3], changed[:, :, :3])
    assert (before[:, :, 3:] != changed[:, :, 3:]).any()


def test_what_is_refused():
    panel = replace(panel_of(*WALKS), known=tuple(RANDOM.normal(size=(3, 44, 1))))
    sampler, network = sampler_of(panel)
    with pytest.raises(RunError, match="series 's0' has known inputs for 4 of 6 steps ahead: give the others"):
        sampler.forecast(panel)
    assert sampler.forecast(panel, 4).quantiles.shape == (3, 4, len(LEVELS))
    with pytest.raises(RunError, match="horizon must be a whole number from 1; got 0"):
        sampler.forecast(panel, 0)
    with pytest.raises(RunError, match="number of sample paths must be a whole number from 1; got 0"):
        sampler.forecast(panel, 1, samples=0)
    with pytest.raises(RunError, match="3 last values must be at least 1, and fewer than"):
        sampler.log_likelihood(panel.until(np.array([3, 9, 9])), 3)
    panel.target[1][:] = math.nan
    with pytest.raises(RunError, match="series 's1' has no observed value: leave it out"):
        sampler.forecast(panel, 1)
    with pytest.raises(RecurraError, match="needs a network from 4 features to 2"):
        PathSampler(Model(describe(torch.nn.Linear(4, 3))), replace(sampler.recipe, lags=(1, 2)))


def test_counts_must_be_counts():
    panel = panel_of(COUNTS[0])
    sampler, _ = sampler_of(panel, "negative-binomial")
    panel.target[0][5] = -1
    with pytest.raises(RunError, match="series 's0', value 6: -1 is no count"):
        sampler.forecast(panel)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_damaged_weights():
    panel = panel_of(WALKS[0])
    sampler, network = sampler_of(panel)
    with torch.no_grad():
        network.output.bias[0] = math.inf
    with pytest.raises(RunError, match="output is not finite"):
        PathSampler(Model(describe(network)), sampler.recipe).forecast(panel)
