"""``AutoregressiveRecipe``: the lengths, lags and inputs of an autoregressive network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import FileFormatError, RunError
from recurra.series import rules
from recurra.series.frequency import Frequency
from recurra.series.likelihoods import LIKELIHOODS, Likelihood
from recurra.series.rules import MAX_CATEGORIES, MAX_COLUMNS, MAX_STEPS, Rule, list_of
from recurra.series.seasons import find_periods
from recurra.series.table_format import TableFormat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.series.panel import Panel

SEASONS = 2  # whose values a step reads, where the history is as long
LEAST_CONTEXT, LARGEST_CONTEXT = 24, 168  # steps, by default
LEAST_SPREAD = 0.05  # of the mean; series with less are centred
MAX_INPUTS = 10_000  # features of a step
MAX_LAGS = 100
MAX_NUMBERS = 2**26  # features of one window


@dataclass(frozen=True)
class AutoregressiveRecipe:
    """All that an autoregressive forecaster knows besides its weights; plain data.

    Attributes:
        frequency: the grid of the series.
        horizon: the number of steps that are forecast by default.
        context: the number of steps before the first forecast that the network reads.
        lags: the distances in steps of the earlier values that each step reads, ascending; the first is 1.
        likelihood: the name of the distribution, of ``LIKELIHOODS``.
        is_centred: whether windows are reduced by their mean, and divided by their mean absolute deviation. Otherwise,
            and for counts always, they are divided by their mean absolute value alone, as in DeepAR, section 3.3.
        categories: for each static column, the number of categories that were trained on.
        known: the names of the inputs known ahead, in order.
        known_means: for each of them, the mean that its numbers are reduced by.
        known_scales: for each of them, the standard deviation that they are divided by then.
        least: the least value that a path may have, such as 0; None without one.
        naive: the name of the naive forecast that was best on left-out data; empty before that is known.
        gain: the share by which the forecast's error on left-out data is below that of `naive`; None if unknown,
            or if `naive` makes no error.
        coverage: the shares of left-out values in the 80 and the 90 % interval; empty if unknown.
        left_out: the number of left-out values that these figures are of.
        table: the meaning of the table's columns; None where the forecaster was not trained on a table.

    Raises:
        FileFormatError: a field has a value that it cannot have; the message names it.
    """

    frequency: Frequency
    horizon: int
    context: int
    lags: tuple[int, ...]
    likelihood: str
    is_centred: bool
    categories: tuple[int, ...] = ()
    known: tuple[str, ...] = ()
    known_means: tuple[float, ...] = ()
    known_scales: tuple[float, ...] = ()
    least: float | None = None
    naive: str = ""
    gain: float | None = None
    coverage: tuple[float, ...] = ()
    left_out: int = 0
    table: TableFormat | None = None

    def __post_init__(self) -> None:
        rules.check_fields(self, _RULES)
        if self.is_centred and self.distribution.is_of_counts:
            raise FileFormatError(f"the forecaster's is_centred must be false, as {self.likelihood} is of counts")
        for name in ("known_means", "known_scales"):
            if len(getattr(self, name)) != len(self.known):
                raise FileFormatError(f"the forecaster's {name} must be {len(self.known)} numbers")
        if self.inputs > MAX_INPUTS:
            raise FileFormatError(f"the forecaster has {self.inputs} features of a step; at most {MAX_INPUTS} are read")
        numbers = (self.reach + self.horizon) * self.inputs
        if numbers > MAX_NUMBERS:
            raise FileFormatError(f"a window of the forecaster has {numbers} numbers; at most {MAX_NUMBERS} are read")

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
        return len(self.lags) + 1 + self.frequency.calendar_width + len(self.known) + sum(self.categories)

    @property
    def past(self) -> tuple[str, ...]:
        """No inputs that are known up to the present: paths would need their future."""
        return ()

    @property
    def network_weight(self) -> float:
        """The weight of the network's forecast beside naive ones: it forecasts alone."""
        return 1.0

    @property
    def reach(self) -> int:
        """The number of steps before the first forecast that any input is of."""
        return self.context + self.lags[-1]

    def to_content(self) -> dict[str, Any]:
        """The recipe as JSON's lists, objects, texts and numbers."""
        return rules.content_of(self)

    @classmethod
    def from_content(cls, content: Any) -> AutoregressiveRecipe:
        """The recipe that JSON content holds.

        Raises:
            FileFormatError: a field is missing, is not known, or has a value that it cannot have; the message names it.
        """
        return cls(**rules.fields_from(content, cls))


def _are_lags(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and 0 < len(value) <= MAX_LAGS
        and all(map(rules.STEPS.is_valid, value))
        and value[0] == 1
        and value == tuple(sorted(set(value)))
    )


_RULES: Mapping[str, Rule] = {
    **rules.COMMON,
    "lags": Rule(f"at most {MAX_LAGS} ascending whole numbers from 1 to {MAX_STEPS}, 1 the first", _are_lags),
    "likelihood": Rule(
        f"one of {', '.join(LIKELIHOODS)}", lambda value: isinstance(value, str) and value in LIKELIHOODS
    ),
    "is_centred": rules.FLAG,
    "known_means": list_of(rules.NUMBER, MAX_COLUMNS, "finite numbers"),
    "known_scales": list_of(rules.POSITIVE, MAX_COLUMNS, "finite numbers above zero"),
}


def make_recipe(
    panel: Panel,
    horizon: int,
    likelihood: str,
    context: int | None = None,
    *,
    known: Sequence[str] = (),
    least: float | None = None,
    table: TableFormat | None = None,
) -> AutoregressiveRecipe:
    """The recipe for the series of a panel.

    Lags are 1, and one and two of each season, as far as they are within half of the longest series. Seasons are those
    of the frequency, and one that the values show.

    Args:
        panel: the series that are trained on.
        horizon: the number of steps that are forecast.
        likelihood: the name of the distribution, of ``LIKELIHOODS``.
        context: the number of steps that the network reads. Default: two of the shortest seasons, or the horizon where
            that is more; at least 24, at most 168, and at most half of the longest series.
        known: the names of the panel's known inputs.
        least: the least value that a path may have. Default: there is none.
        table: the meaning of the table's columns, for the file. Default: there is no table.

    Raises:
        RunError: there are too many categories.
    """
    longest = max(2, int(panel.lengths.max(initial=2)))
    periods = find_periods(panel.target, panel.frequency.periods)
    lags = {number * period for period in periods for number in range(1, SEASONS + 1)}
    wanted = min(max(LEAST_CONTEXT, horizon, SEASONS * min(periods, default=1)), LARGEST_CONTEXT)
    means, scales = _standards(
        np.concatenate([values[: len(y)] for values, y in zip(panel.known, panel.target, strict=True)])
    )
    categories = tuple(map(int, panel.static.max(0, initial=1)))
    if max(categories, default=0) > MAX_CATEGORIES:
        raise RunError(
            f"{max(categories)} categories are more than an autoregressive model can have, {MAX_CATEGORIES}: "
            "leave out a static column of as many categories as series"
        )
    return AutoregressiveRecipe(
        frequency=panel.frequency,
        horizon=horizon,
        context=context or min(wanted, max(1, longest // 2)),
        lags=tuple(sorted({1, *(lag for lag in lags if lag <= longest // 2)})),
        likelihood=likelihood,
        is_centred=not LIKELIHOODS[likelihood].is_of_counts and _needs_centring(panel.target),
        categories=categories,
        known=tuple(known),
        known_means=means,
        known_scales=scales,
        least=least,
        table=table,
    )


def _needs_centring(targets: Sequence[NDArray[np.float64]]) -> bool:
    """True if a value is negative, or if most series hardly leave their mean: the level is a bad scale for these."""
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
