"""``AutoregressiveRecipe``: the lengths, lags and inputs of an autoregressive network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import FileFormatError, RunError
from recurra.series.likelihoods import LIKELIHOODS, Likelihood
from recurra.series.seasons import find_periods

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.panel import Panel

SEASONS = 2  # whose values a step reads, where the history is as long
LEAST_CONTEXT, LARGEST_CONTEXT = 24, 168  # steps, by default
LEAST_SPREAD = 0.05  # of the mean; series with less are centred
MOST_INPUTS = 10_000  # features of a step
MOST_STEPS = 1_000_000  # of a context, a horizon and a lag


@dataclass(frozen=True)
class AutoregressiveRecipe:
    """All that an autoregressive forecaster knows besides its weights; plain data.

    Attributes:
        horizon: the number of steps that are forecast by default.
        context: the number of steps before the first forecast that the network reads.
        lags: the distances in steps of the earlier values that each step reads, ascending; the first is 1.
        likelihood: the name of the distribution, of ``LIKELIHOODS``.
        is_centred: whether windows are reduced by their mean, and divided by their mean absolute deviation. Otherwise,
            and for counts always, they are divided by their mean absolute value alone, as in DeepAR, section 3.3.
        calendar: the number of features of the calendar.
        categories: for each static column, the number of categories that were trained on.
        known_means: for each known column, the mean that its numbers are reduced by.
        known_scales: for each known column, the standard deviation that they are divided by then.
    """

    horizon: int
    context: int
    lags: tuple[int, ...]
    likelihood: str
    is_centred: bool
    calendar: int
    categories: tuple[int, ...]
    known_means: tuple[float, ...]
    known_scales: tuple[float, ...]

    @property
    def distribution(self) -> Likelihood:
        """The distribution of each step's value."""
        return LIKELIHOODS[self.likelihood]

    @property
    def blank(self) -> float:
        """The scaled value that stands for one that is missing: the mean of the context."""
        return 0.0 if self.is_centred else 1.0

    @property
    def inputs(self) -> int:
        """The number of features that the network reads at each step."""
        return len(self.lags) + 1 + self.calendar + len(self.known_means) + sum(self.categories)

    @property
    def reach(self) -> int:
        """The number of steps before the first forecast that any input is of."""
        return self.context + self.lags[-1]

    def to_content(self) -> dict[str, Any]:
        """The recipe as JSON's lists, texts and numbers."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_content(cls, content: object) -> AutoregressiveRecipe:
        """The recipe that JSON content holds.

        Raises:
            FileFormatError: a field is missing, is not known, or has a value that it cannot have; the message names it.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(content, Mapping) or set(content) != set(names):
            raise FileFormatError(f"an autoregressive recipe must hold {', '.join(names)}")
        for name, is_valid in _RULES.items():
            if not is_valid(content[name]):
                raise FileFormatError(f"the {name} of an autoregressive recipe is not one that it can have")
        values: dict[str, Any] = {
            name: tuple(each) if isinstance(each, list) else each for name, each in content.items()
        }
        recipe = cls(**values)
        if recipe.is_centred and recipe.distribution.is_of_counts:
            raise FileFormatError("an autoregressive recipe cannot centre counts")
        if len(recipe.known_means) != len(recipe.known_scales) or recipe.inputs > MOST_INPUTS:
            raise FileFormatError("the numbers of inputs of an autoregressive recipe contradict each other")
        return recipe


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _is_whole(value: object, least: int = 1) -> bool:
    return type(value) is int and least <= value <= MOST_STEPS


def _are_whole(value: object) -> bool:
    return isinstance(value, list) and len(value) <= MOST_INPUTS and all(map(_is_whole, value))


def _are_finite(value: object) -> bool:
    return isinstance(value, list) and all(type(each) is float and np.isfinite(each) for each in value)


_RULES: dict[str, Callable[[Any], bool]] = {
    "horizon": _is_whole,
    "context": _is_whole,
    "lags": lambda value: _are_whole(value) and value[:1] == [1] and value == sorted(set(value)),
    "likelihood": lambda value: isinstance(value, str) and value in LIKELIHOODS,
    "is_centred": lambda value: type(value) is bool,
    "calendar": lambda value: _is_whole(value, 0),
    "categories": lambda value: isinstance(value, list) and all(_is_whole(each, 0) for each in value),
    "known_means": _are_finite,
    "known_scales": lambda value: _are_finite(value) and all(each > 0 for each in value),
}


def make_recipe(panel: Panel, horizon: int, likelihood: str, context: int | None = None) -> AutoregressiveRecipe:
    """The recipe for the series of a panel.

    Lags are 1, and one and two of each season, as far as they are within half of the longest series. Seasons are those
    of the frequency, and one that the values show.

    Args:
        panel: the series that are trained on.
        horizon: the number of steps that are forecast.
        likelihood: the name of the distribution, of ``LIKELIHOODS``.
        context: the number of steps that the network reads. Default: two of the shortest seasons, or the horizon where
            that is more; at least 24, at most 168, and at most half of the longest series.

    Raises:
        RunError: there are too many categories.
    """
    longest = max(2, int(panel.lengths.max(initial=2)))
    periods = find_periods(panel.target, panel.frequency.periods)
    lags = {number * period for period in periods for number in range(1, SEASONS + 1)}
    wanted = min(max(LEAST_CONTEXT, horizon, SEASONS * min(periods, default=1)), LARGEST_CONTEXT)
    known = np.concatenate([values[: len(y)] for values, y in zip(panel.known, panel.target, strict=True)])
    means, scales = _standards(known)
    recipe = AutoregressiveRecipe(
        horizon,
        context or min(wanted, max(1, longest // 2)),
        tuple(sorted({1, *(lag for lag in lags if lag <= longest // 2)})),
        likelihood,
        not LIKELIHOODS[likelihood].is_of_counts and _is_level_far(panel.target),
        panel.frequency.calendar(np.zeros(1, np.int64)).shape[1],
        tuple(map(int, panel.static.max(0, initial=0))),
        means,
        scales,
    )
    if recipe.inputs > MOST_INPUTS:
        raise RunError(
            f"{sum(recipe.categories)} categories are more than an autoregressive model can have, {MOST_INPUTS}: "
            "leave out a static column of as many categories as series"
        )
    return recipe


def _is_level_far(targets: Sequence[NDArray[np.float64]]) -> bool:
    """Whether the level alone is a bad scale: a value is negative, or most series hardly leave their mean."""
    shares = []
    for values in targets:
        seen = values[~np.isnan(values)]
        level = float(np.abs(seen).mean()) if seen.size else 0.0
        if level > 0:
            shares.append(float(np.abs(seen / level - np.mean(seen / level)).mean()))
        if (seen < 0).any():
            return True
    return bool(shares) and float(np.median(shares)) < LEAST_SPREAD


def _standards(known: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and the standard deviation of each column (rows, columns); 0 and 1 where they cannot be told."""
    means, scales = [], []
    for column in known.T:
        seen = column[np.isfinite(column)]
        means.append(float(seen.mean()) if seen.size else 0.0)
        deviation = float(seen.std()) if seen.size else 0.0
        scales.append(deviation if deviation > 0 else 1.0)
    return tuple(means), tuple(scales)
