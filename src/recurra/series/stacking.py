"""The combination of reference forecasts that fits a history best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 3000
RIDGE = 1e-3  # of the mean variance; it draws the weights towards equal ones


def horizon_groups(horizon: int) -> list[NDArray[np.int64]]:
    """The steps of a horizon in at most three groups, near, middle and far, each combined by weights of its own."""
    return np.array_split(np.arange(horizon), min(3, horizon))


def by_step(groups: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """Values of the groups of a horizon, (groups, …), for each of its steps: (horizon, …)."""
    return np.repeat(groups, [len(steps) for steps in horizon_groups(horizon)], axis=0)


def fit_weights(
    forecasts: NDArray[np.float64], actual: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights of forecasts, not negative and of sum 1, with the least squared error; by projected gradients.

    Args:
        forecasts: float64 (rules, windows, horizon).
        actual: float64 (windows, horizon), NaN where nothing was observed.
        scale: float64 (windows,), by which errors are divided.

    Returns:
        float64 (groups of the horizon, rules).
    """
    rules = len(forecasts)
    found = []
    for steps in horizon_groups(actual.shape[1]):
        errors = ((forecasts[:, :, steps] - actual[:, steps]) / np.where(scale > 0, scale, np.inf)[:, None]).reshape(
            rules, -1
        )
        errors = errors[:, np.isfinite(errors).all(axis=0)]
        found.append(_least_squares(errors))
    return np.stack(found)


def _least_squares(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights w of sum 1, not negative, with the least mean of (w · errors)²."""
    rules, count = errors.shape
    weights = np.full(rules, 1 / rules)
    if not count:
        return weights
    products = errors @ errors.T / count
    spread = np.trace(products) / rules
    if not spread > 0:
        return weights
    products = products / spread + RIDGE * np.eye(rules)
    step = 1 / np.linalg.eigvalsh(products)[-1]
    for _ in range(STEPS):
        weights = _on_simplex(weights - step * (products @ weights))
    return weights


def _on_simplex(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest weights that are not negative and have the sum 1."""
    ordered = np.sort(weights)[::-1]
    sums = np.cumsum(ordered) - 1
    last = np.flatnonzero(ordered - sums / np.arange(1, len(weights) + 1) > 0)[-1]
    return np.asarray(np.maximum(weights - sums[last] / (last + 1), 0.0))


def combine(forecasts: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weighted sum of forecasts (rules, windows, horizon) by weights (groups, rules): (windows, horizon)."""
    combined = np.empty(forecasts.shape[1:])
    for steps, group in zip(horizon_groups(forecasts.shape[2]), weights, strict=True):
        # Rule by rule, as a product of matrices has other last bits for other numbers of windows.
        combined[:, steps] = sum(weight * rule for weight, rule in zip(group, forecasts[:, :, steps], strict=True))
    return combined
