"""The network: its shapes, and torch's densities beside numpy's, with gradients."""

import numpy as np
import pytest
import torch

from recurra.series.autoregressive.recipe import make_recipe
from recurra.series.likelihoods import LIKELIHOODS, NUMPY
from recurra.tasks.series.autoregressive.network import log_densities, make_network, scaled_means
from recurra.tasks.series.autoregressive.settings import AutoregressiveSettings
from tests.series.grids import panel_of

RANDOM = np.random.default_rng(4)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["lstm", "min_gru"])
def test_shapes(cell, layers):
    recipe = make_recipe(panel_of(RANDOM.normal(size=50), seasons=(5,)), 3, "student-t")
    network = make_network(recipe, AutoregressiveSettings(3, cell=cell, layers=layers, hidden=7))
    output, state = network(torch.zeros(4, 2, recipe.inputs))
    assert output.shape == (4, 2, 3)
    assert (state[0] if isinstance(state, tuple) else state).shape == (layers, 2, 7)


@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
def test_densities_are_those_of_numpy_and_have_gradients(likelihood):
    raw = RANDOM.normal(0, 3, (5, 4, likelihood.outputs)).astype(np.float32)
    scale = np.array([1.0, 20.0, 0.5, 7.0])
    scaled = RANDOM.poisson(4, (5, 4)) / scale
    outputs = torch.from_numpy(raw).requires_grad_()
    found = log_densities(likelihood, outputs, torch.from_numpy(scaled), torch.from_numpy(scale))
    parameters = likelihood.parameters(raw.astype(np.float64), scale, NUMPY)
    values = np.round(scaled * scale) if likelihood.is_of_counts else scaled
    np.testing.assert_allclose(found.detach(), likelihood.log_density(values, parameters, NUMPY), rtol=1e-9)
    found.sum().backward()
    assert bool(outputs.grad.isfinite().all())
    means = scaled_means(likelihood, outputs, torch.from_numpy(scale)).detach()
    np.testing.assert_allclose(means, parameters[0] / (scale if likelihood.is_of_counts else 1), rtol=1e-9)
