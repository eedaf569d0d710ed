"""The inputs of an autoregressive network: windows of scaled values, their lags, and what is known of each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.autoregressive.recipe import AutoregressiveRecipe
    from recurra.series.panel import Panel

LARGEST_INPUT = 10.0  # of a known input in standard deviations, so that a slip of the pen does not decide a forecast


@dataclass(frozen=True, eq=False)
class StepWindows:
    """Windows of series: the last steps before an origin, and some after it.

    A real number is scaled to (y − offset) / scale: the offset is the mean of the context, the scale its mean absolute
    deviation. A count has the offset 0, and the mean of the context as scale (as ν in DeepAR, section 3.3).

    Attributes:
        values: float64 (windows, reach + ahead), scaled; NaN where nothing was observed, and before the series.
        is_inside: bool, of the same shape; whether the step is one of the series.
        covariates: float32 (context + ahead, windows, features): what is known of each step.
        offset: float64 (windows,).
        scale: float64 (windows,); above zero.
    """

    values: NDArray[np.float64]
    is_inside: NDArray[np.bool_]
    covariates: NDArray[np.float32]
    offset: NDArray[np.float64]
    scale: NDArray[np.float64]


def make_windows(
    recipe: AutoregressiveRecipe,
    panel: Panel,
    rows: NDArray[np.int64],
    origins: NDArray[np.int64],
    ahead: int,
) -> StepWindows:
    """Windows around origins.

    Args:
        recipe: the lengths and the inputs.
        panel: the series.
        rows: (windows,), the number of each window's series.
        origins: (windows,), the number of steps of the series before the first one to forecast; scales and offsets are
            of these alone.
        ahead: the number of steps after the origin; those behind the end of a series are NaN.
    """
    width = recipe.reach + ahead
    values = np.full((len(rows), width), np.nan)
    is_inside = np.zeros((len(rows), width), bool)
    offset, scale = np.zeros(len(rows)), np.ones(len(rows))
    for place, (row, origin) in enumerate(zip(rows, origins, strict=True)):
        series, first = panel.target[row], origin - recipe.reach
        part = series[max(0, first) : origin + ahead]
        begin = max(0, -first)
        offset[place], scale[place] = _level(series[:origin], recipe)
        values[place, begin : begin + len(part)] = (part - offset[place]) / scale[place]
        is_inside[place, begin:] = True
    steps = origins[:, None] + np.arange(-recipe.context, ahead)
    return StepWindows(values, is_inside, _covariates(recipe, panel, rows, steps), offset, scale)


def _level(history: NDArray[np.float64], recipe: AutoregressiveRecipe) -> tuple[float, float]:
    """The offset and the scale of a window, by its context, or by the last values before it where that has none."""
    seen = history[-recipe.context :]
    seen = seen[~np.isnan(seen)]
    if not seen.size:
        seen = history[~np.isnan(history)][-recipe.context :]
    if not seen.size:
        return 0.0, 1.0
    level = float(np.abs(seen).mean())
    if recipe.distribution.is_of_counts:
        return 0.0, level or 1.0
    offset = float(seen.mean())
    spread = float(np.abs(seen - offset).mean())
    return offset, spread if spread > 1e-9 * level else level or 1.0


def _covariates(
    recipe: AutoregressiveRecipe, panel: Panel, rows: NDArray[np.int64], steps: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Whether the series has begun, the calendar, known inputs and categories: (steps, windows, features).

    A category is a feature of its own, 1 for its series and 0 for others: so the columns of the network's input weights
    are its embedding. A category that was not trained on has zeros.
    """
    count, length = steps.shape
    parts = [(steps > 0).astype(np.float32)[:, :, None]]
    positions = (panel.starts[rows][:, None] + steps).reshape(-1)
    parts.append(panel.frequency.calendar(positions).reshape(count, length, recipe.calendar))
    known = np.zeros((count, length, len(recipe.known_means)), np.float32)
    for place, row in enumerate(rows if recipe.known_means else ()):
        known[place] = _known(recipe, panel.known[row], steps[place])
    parts.append(known)
    for column, size in enumerate(recipe.categories):
        number = panel.static[rows, column]
        hot = (number[:, None] == np.arange(1, size + 1)).astype(np.float32)
        parts.append(np.broadcast_to(hot[:, None], (count, length, size)))
    joined: NDArray[np.float32] = np.concatenate(parts, 2).transpose(1, 0, 2)
    return joined


def _known(recipe: AutoregressiveRecipe, given: NDArray[np.float64], steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Standardised known inputs of steps, (steps, columns); 0, their mean, where they are missing."""
    is_given = (steps >= 0) & (steps < len(given))
    values = np.where(is_given[:, None], given[np.where(is_given, steps, 0)], np.nan)
    values = (values - np.array(recipe.known_means)) / np.array(recipe.known_scales)
    standard: NDArray[np.float64] = np.clip(np.nan_to_num(values), -LARGEST_INPUT, LARGEST_INPUT)
    return standard


def blank(recipe: AutoregressiveRecipe) -> float:
    """The scaled value that stands for one that is missing: the mean of the context."""
    return 1.0 if recipe.distribution.is_of_counts else 0.0


def inputs_of(recipe: AutoregressiveRecipe, windows: StepWindows, values: NDArray[np.float64]) -> NDArray[np.float32]:
    """What the network reads at each step: float32 (context + ahead, windows, inputs).

    Args:
        recipe: the lags.
        windows: the windows.
        values: (windows, reach + ahead), the windows' values with numbers in the place of missing ones; a NaN that is
            left stands for the mean of the context.
    """
    filled = np.where(np.isnan(values), blank(recipe), values)
    first, steps = recipe.lags[-1], len(windows.covariates)
    lagged = [filled[:, first - lag : first - lag + steps].T for lag in recipe.lags]
    return np.concatenate([np.stack(lagged, 2).astype(np.float32), windows.covariates], 2)
