"""The inputs of an autoregressive network: windows of scaled values, their lags, and what is known of each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurra.series.history import History
from recurra.series.scaling import window_scales

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.autoregressive.recipe import AutoregressiveRecipe
    from recurra.series.panel import Panel

LARGEST_INPUT = 10.0  # of a known input in standard deviations, so that a slip of the pen does not decide a forecast


@dataclass(frozen=True, eq=False)
class StepWindows:
    """Windows of series: the last steps before an origin, and some after it.

    Values are scaled to (y − offset) / scale. Where the recipe centres them, the offset is the mean of the context, and
    the scale its mean absolute deviation; else the offset is 0, and the scale the context's mean absolute value.

    Attributes:
        values: float64 (windows, reach + ahead), scaled; NaN where nothing was observed, and before the series.
        is_inside: bool, of the same shape; whether the step is one of the series, or after its end.
        covariates: float32 (context + ahead, windows, features): what is known of each step.
        offset: float64 (windows,).
        scale: float64 (windows,); above zero.
    """

    values: NDArray[np.float64]
    is_inside: NDArray[np.bool_]
    covariates: NDArray[np.float32]
    offset: NDArray[np.float64]
    scale: NDArray[np.float64]


class StepReader:
    """The series of a panel, ready to be read in windows.

    Args:
        panel: the series.
        recipe: the lengths and the inputs.
    """

    def __init__(self, panel: Panel, recipe: AutoregressiveRecipe) -> None:
        self.panel, self.recipe = panel, recipe
        self.target, self.known = History.of(panel.target), History.of(panel.known)

    def windows(self, rows: NDArray[np.int64], origins: NDArray[np.int64], ahead: int) -> StepWindows:
        """Windows around origins.

        Args:
            rows: (windows,), the number of each window's series.
            origins: (windows,), the number of steps of the series before the first one to forecast; scales and offsets
                are of these alone.
            ahead: the number of steps after the origin; those behind the end of a series are NaN.
        """
        recipe = self.recipe
        steps = origins[:, None] + np.arange(-recipe.reach, ahead)
        values = self.target.at(rows, steps)
        offset, scale = self._levels(values[:, recipe.lags[-1] : recipe.reach], rows, origins)
        covariates = self._covariates(rows, steps[:, recipe.lags[-1] :])
        return StepWindows((values - offset[:, None]) / scale[:, None], steps >= 0, covariates, offset, scale)

    def _levels(
        self, context: NDArray[np.float64], rows: NDArray[np.int64], origins: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The offset and the scale of each window; see :class:`StepWindows`.

        A context without values has those of as many values before it, one without change has its level as scale.
        """
        context = context.copy()
        for place in np.flatnonzero(np.isnan(context).all(1)):
            before = self.panel.target[rows[place]][: origins[place]]
            seen = before[~np.isnan(before)][-self.recipe.context :]
            context[place, : len(seen)] = seen
        level = np.nan_to_num(np.abs(context)).sum(1) / np.maximum((~np.isnan(context)).sum(1), 1)
        level = np.where(level > 0, level, 1.0)
        return window_scales(context, level) if self.recipe.is_centred else (np.zeros(len(rows)), level)

    def _covariates(self, rows: NDArray[np.int64], steps: NDArray[np.int64]) -> NDArray[np.float32]:
        """The inputs besides earlier values: a flag once the series has begun, calendar, known inputs and categories.

        The result is float32 (steps, windows, features). A category is a feature of its own, 1 for its series and 0 for
        others: so the columns of the network's input weights are its embedding. A category that was not trained on has
        zeros, and so has a missing known input, which stands for its mean.
        """
        panel, recipe = self.panel, self.recipe
        parts = [(steps > 0).astype(np.float32)[:, :, None]]
        positions = panel.starts[rows][:, None] + steps
        calendar = panel.frequency.calendar(positions.reshape(-1))
        parts.append(calendar.reshape(*steps.shape, calendar.shape[1]))
        if recipe.known_means:
            known = self.known.at(rows, steps)
            standard = np.nan_to_num((known - np.array(recipe.known_means)) / np.array(recipe.known_scales))
            parts.append(np.clip(standard, -LARGEST_INPUT, LARGEST_INPUT).astype(np.float32))
        for column, size in enumerate(recipe.categories):
            hot = panel.static[rows, column, None] == np.arange(1, size + 1)
            parts.append(np.broadcast_to(hot[:, None].astype(np.float32), (*steps.shape, size)))
        return np.ascontiguousarray(np.concatenate(parts, 2).transpose(1, 0, 2))


def inputs_of(recipe: AutoregressiveRecipe, windows: StepWindows, values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The network's input: float32 (context + ahead, windows, inputs).

    Args:
        recipe: the lags.
        windows: the windows.
        values: (windows, reach + ahead), the windows' values with numbers in the place of missing ones; a NaN that is
            left stands for the mean of the context.
    """
    filled = np.where(np.isnan(values), recipe.blank, values)
    first, steps = recipe.lags[-1], len(windows.covariates)
    lagged = [filled[:, first - lag : first - lag + steps].T for lag in recipe.lags]
    return np.concatenate([np.stack(lagged, 2).astype(np.float32), windows.covariates], 2)
