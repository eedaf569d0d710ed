"""Likelihoods: densities beside torch's and their sums, means of draws, and the choice by data."""

import math

import numpy as np
import pytest
import torch
from torch import distributions

from recurra.errors import RunError
from recurra.series.likelihoods import LIKELIHOODS, NUMPY, check_values, likelihood_for

RANDOM = np.random.default_rng(8)
RAW = RANDOM.normal(0, 2, (50, 3))
SCALE = np.exp(RANDOM.normal(0, 1, 50))


def of_torch(name, parameters):
    """torch's distribution of these parameters."""
    first, *rest = map(torch.from_numpy, parameters)
    if name == "normal":
        return distributions.Normal(first, rest[0])
    if name == "student-t":
        return distributions.StudentT(rest[1], first, rest[0])
    if name == "poisson":
        return distributions.Poisson(first)
    return distributions.NegativeBinomial(1 / rest[0], probs=rest[0] * first / (1 + rest[0] * first))


def values_for(likelihood):
    return RANDOM.poisson(4, 50).astype(float) if likelihood.is_of_counts else RANDOM.normal(0, 3, 50)


@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
def test_densities_are_those_of_torch(likelihood):
    parameters = likelihood.parameters(RAW, SCALE, NUMPY)
    y = values_for(likelihood)
    expected = of_torch(likelihood.name, parameters).log_prob(torch.from_numpy(y))
    np.testing.assert_allclose(likelihood.log_density(y, parameters, NUMPY), expected, rtol=1e-7, atol=1e-9)
    assert likelihood.outputs >= len(parameters)


@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
def test_probabilities_sum_to_one(likelihood):
    parameters = likelihood.parameters(np.array([0.3, -0.5, 8.0]), np.array(2.0), NUMPY)
    y = np.arange(400.0) if likelihood.is_of_counts else np.linspace(-50, 50, 200_001)
    density = np.exp(likelihood.log_density(y, parameters, NUMPY))
    assert float(density.sum() * (y[1] - y[0])) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
def test_draws_have_the_moments(likelihood):
    parameters = tuple(np.full(200_000, each) for each in likelihood.parameters(RAW[0] + [0, 0, 5], 3.0, NUMPY))
    drawn = likelihood.draw(parameters, np.random.default_rng(2))
    expected = of_torch(likelihood.name, tuple(each[:1] for each in parameters))
    assert drawn.mean() == pytest.approx(float(expected.mean), abs=5 * math.sqrt(float(expected.variance) / 200_000))
    assert drawn.var() == pytest.approx(float(expected.variance), rel=0.05)
    assert parameters[0][0] == pytest.approx(float(expected.mean))
    if likelihood.is_of_counts:
        assert (drawn >= 0).all()
        assert (drawn == np.round(drawn)).all()


def test_the_formulas_of_the_paper():
    mean, dispersion = LIKELIHOODS["negative-binomial"].parameters(np.array([0.0, 1.0]), np.array(4.0), NUMPY)
    assert mean == pytest.approx(4 * math.log(2), rel=1e-3)
    assert dispersion == pytest.approx(math.log(1 + math.e) / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([[0, 1, 0, 3], [math.nan, 2]], "negative-binomial"),
        ([[0, 1, 0.5]], "student-t"),
        ([[0, 1, -1]], "student-t"),
        ([[112, 118, 132]], "student-t"),
        ([[math.nan]], "student-t"),
    ],
)
def test_the_choice(targets, expected):
    assert likelihood_for(list(map(np.array, targets))).name == expected


def test_values_that_are_no_counts():
    check_values(LIKELIHOODS["poisson"], ["a"], [np.array([0, math.nan, 3])])
    check_values(LIKELIHOODS["normal"], ["a"], [np.array([-1.5])])
    for bad in (-3.0, 1.5):
        with pytest.raises(RunError, match=f"series 'b', value 3: {bad:g} is no count, .* choose student-t or normal"):
            check_values(LIKELIHOODS["poisson"], ["a", "b"], [np.array([1.0]), np.array([0, math.nan, bad])])
