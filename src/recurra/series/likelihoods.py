"""Distributions that a network's outputs are the parameters of: their densities, means and draws.

The formulas are those of DeepAR (Salinas, Flunkert, Gasthaus & Januschowski 2020, sections 3.1 and 3.3). They are
written once for any library of arrays: :class:`Functions` holds what they need of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Array = Any  # of numpy or torch

LEAST_SPREAD = 1e-4  # of a standard deviation in scaled units, and of a dispersion: a density has no pole then
LEAST_DEGREES = 2.0  # of freedom: the variance is finite above
LARGEST_RATE = 1e15  # that counts are drawn with; numpy's own limit is 9.2e18
SMALL_COUNTS = 30.0  # the mean below which whole numbers are taken for counts


@dataclass(frozen=True)
class Functions:
    """A library's functions of arrays, elementwise."""

    softplus: Callable[[Array], Array]
    log: Callable[[Array], Array]
    log1p: Callable[[Array], Array]
    log_gamma: Callable[[Array], Array]


def _log_gamma(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.frompyfunc(math.lgamma, 1, 1)(x), np.float64)


NUMPY = Functions(lambda x: np.logaddexp(0.0, x), np.log, np.log1p, _log_gamma)


@dataclass(frozen=True)
class Likelihood:
    """A distribution of the next value, given a network's outputs.

    Distributions of counts are of the counts themselves, others of scaled values, (y − offset) / scale: so a network's
    outputs are about as large for all series.

    Attributes:
        name: its name in settings.
        outputs: the number of the network's outputs.
        is_of_counts: whether it is of whole numbers from 0.
        parameters: gives the parameters, a tuple of arrays (…), of outputs (…, outputs) and the scale of each series
            (…), which only counts need.
        log_density: gives the logarithm of the density, or of the probability of a count, of values (…).
        draw: gives one draw for each element of the parameters, numpy arrays.

    The first parameter is the mean of all of them, or for a heavy tail the centre.
    """

    name: str
    outputs: int
    is_of_counts: bool
    parameters: Callable[[Array, Array, Functions], tuple[Array, ...]]
    log_density: Callable[[Array, tuple[Array, ...], Functions], Array]
    draw: Callable[[tuple[Array, ...], np.random.Generator], Array]


# ---- numbers: Normal and Student's t ----


def _normal(raw: Array, scale: Array, of: Functions) -> tuple[Array, ...]:
    """Mean and standard deviation: μ = o_μ, σ = softplus(o_σ)."""
    return raw[..., 0], of.softplus(raw[..., 1]) + LEAST_SPREAD


def _normal_density(y: Array, parameters: tuple[Array, ...], of: Functions) -> Array:
    mean, deviation = parameters
    return -0.5 * ((y - mean) / deviation) ** 2 - of.log(deviation) - 0.5 * math.log(2 * math.pi)


def _normal_draw(parameters: tuple[Array, ...], generator: np.random.Generator) -> Array:
    return generator.normal(*parameters)


def _student(raw: Array, scale: Array, of: Functions) -> tuple[Array, ...]:
    """Centre, spread and degrees of freedom: ν = 2 + softplus(o_ν)."""
    return *_normal(raw, scale, of), LEAST_DEGREES + of.softplus(raw[..., 2])


def _student_density(y: Array, parameters: tuple[Array, ...], of: Functions) -> Array:
    centre, spread, degrees = parameters
    norm = of.log_gamma((degrees + 1) / 2) - of.log_gamma(degrees / 2) - 0.5 * of.log(math.pi * degrees)
    return norm - of.log(spread) - (degrees + 1) / 2 * of.log1p(((y - centre) / spread) ** 2 / degrees)


def _student_draw(parameters: tuple[Array, ...], generator: np.random.Generator) -> Array:
    centre, spread, degrees = parameters
    return centre + spread * generator.standard_t(degrees)


# ---- counts: Poisson and negative binomial ----


def _poisson(raw: Array, scale: Array, of: Functions) -> tuple[Array, ...]:
    """The rate: λ = scale · softplus(o_λ)."""
    return (scale * (of.softplus(raw[..., 0]) + LEAST_SPREAD),)


def _poisson_density(y: Array, parameters: tuple[Array, ...], of: Functions) -> Array:
    (rate,) = parameters
    return y * of.log(rate) - rate - of.log_gamma(y + 1)


def _poisson_draw(parameters: tuple[Array, ...], generator: np.random.Generator) -> Array:
    return np.asarray(generator.poisson(np.minimum(parameters[0], LARGEST_RATE)), np.float64)


def _negative_binomial(raw: Array, scale: Array, of: Functions) -> tuple[Array, ...]:
    """Mean and dispersion: μ = scale · softplus(o_μ), α = softplus(o_α) / √scale; the variance is μ + α μ²."""
    mean = scale * (of.softplus(raw[..., 0]) + LEAST_SPREAD)
    return mean, (of.softplus(raw[..., 1]) + LEAST_SPREAD) / scale**0.5


def _negative_binomial_density(y: Array, parameters: tuple[Array, ...], of: Functions) -> Array:
    mean, dispersion = parameters
    shape, odds = 1 / dispersion, dispersion * mean
    ways = of.log_gamma(y + shape) - of.log_gamma(y + 1) - of.log_gamma(shape)
    return ways - (shape + y) * of.log1p(odds) + y * of.log(odds)


def _negative_binomial_draw(parameters: tuple[Array, ...], generator: np.random.Generator) -> Array:
    mean, dispersion = parameters
    return _poisson_draw((generator.gamma(1 / dispersion, dispersion * mean),), generator)


LIKELIHOODS = {
    each.name: each
    for each in (
        Likelihood("normal", 2, False, _normal, _normal_density, _normal_draw),
        Likelihood("student-t", 3, False, _student, _student_density, _student_draw),
        Likelihood(
            "negative-binomial",
            2,
            True,
            _negative_binomial,
            _negative_binomial_density,
            _negative_binomial_draw,
        ),
        Likelihood("poisson", 1, True, _poisson, _poisson_density, _poisson_draw),
    )
}


def likelihood_for(targets: Sequence[NDArray[np.float64]]) -> Likelihood:
    """The likelihood that fits values, NaN left out: negative binomial for small counts, else Student's t.

    Counts are small if all values are whole numbers from 0, and their mean is below 30. Larger ones are as good as
    continuous, and Student's t is right for skewed and for even spreads alike.
    """
    values = np.concatenate([np.asarray(each, np.float64) for each in targets])
    values = values[~np.isnan(values)]
    is_count = bool(values.size and (values >= 0).all() and (values == np.round(values)).all())
    is_small = is_count and float(values.mean()) < SMALL_COUNTS
    return LIKELIHOODS["negative-binomial" if is_small else "student-t"]


def check_values(likelihood: Likelihood, ids: Sequence[str], targets: Sequence[NDArray[np.float64]]) -> None:
    """Refuse values that a likelihood gives no probability.

    Args:
        likelihood: the likelihood.
        ids: the name of each series.
        targets: for each series (length,), NaN where nothing was observed.

    Raises:
        RunError: the likelihood is of counts, and a value is negative or no whole number; the message names it.
    """
    if not likelihood.is_of_counts:
        return
    for name, values in zip(ids, targets, strict=True):
        wrong = np.flatnonzero((values < 0) | (values != np.round(values)) & ~np.isnan(values))
        if wrong.size:
            place = int(wrong[0])
            raise RunError(
                f"series {name!r}, value {place + 1}: {values[place]:g} is no count, and the likelihood "
                f"{likelihood.name} is of whole numbers from 0; choose student-t or normal"
            )
