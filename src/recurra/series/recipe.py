"""``Recipe``: what a forecaster knows besides the weights of its networks; plain data, which its file holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from recurra.errors import FileFormatError
from recurra.series import linear, rules
from recurra.series.forecast import LEVELS
from recurra.series.frequency import Frequency
from recurra.series.rules import MAX_COLUMNS, MAX_HORIZON, MAX_STEPS, NUMBER, Rule, list_of, or_null
from recurra.series.table_format import TableFormat
from recurra.series.transforms import BY_NAME, NONE

MAX_PERIODS = 10
MAX_LEVELS = 100
MAX_MEMBERS = 100
MAX_ROW = 1_000  # numbers of a row of weights or quantiles
GROUPS = 3  # of the steps of a horizon; each has weights of its own for the references


@dataclass(frozen=True)
class Recipe:
    """The facts by which a forecaster reads series, and turns the outputs of its networks into forecasts.

    Attributes:
        frequency: the grid of the series.
        horizon: the most steps that are forecast.
        context: the steps that the encoder reads.
        periods: the seasons in steps, from the shortest.
        transform: the name of the transform of the series, of ``TRANSFORMS``; None where each series decides, by
            `transform_of`.
        least: the least value that the forecast of a series may have that never was below it, such as 0 for counts;
            None without one.
        known: the names of the inputs known ahead, in order.
        past: the names of the inputs known up to the present.
        centers: the centre of each known and past input, in its units.
        spreads: the spread of each, above zero.
        categories: the number of categories of each static column, besides the unknown one.
        levels: the levels of the quantiles, ascending, 0.5 among them.
        reference_weights: the weights of the reference forecasts, (groups of the horizon, references).
        linear_weights: the weights of the linear autoregression, as ``linear.linear_map`` takes them; empty without.
        linear_memory: the steps of its mean; 0 without one.
        blend_weights: the weights of the reference forecasts and, last, of the linear autoregression, in the forecast
            that networks are blended with, (groups of the horizon, references + 1); empty without one.
        reference_quantiles: the quantiles of the scaled errors of the forecast beside the networks, (horizon, levels);
            the median's is zero.
        network_weight: the weight of the networks' forecast, 0 to 1; the rest is that of the forecast beside them.
        widths: the factors by which each quantile's distance from the median is multiplied, (levels).
        members: the number of networks.
        naive: the name of the naive forecast that was best on left-out data; empty before that is known.
        gain: the share by which the forecast's error on left-out data is below that of `naive`; None if unknown.
        coverage: the shares of left-out values in the 80 and the 90 % interval; empty if unknown.
        left_out: the number of left-out values that these figures are of.
        table: the meaning of the table's columns; None where the forecaster was not trained on a table.

    Raises:
        FileFormatError: a field has a value that it cannot have; the message names it.
    """

    frequency: Frequency
    horizon: int
    context: int
    periods: tuple[int, ...] = ()
    transform: str | None = NONE.name
    least: float | None = None
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    centers: tuple[float, ...] = ()
    spreads: tuple[float, ...] = ()
    categories: tuple[int, ...] = ()
    levels: tuple[float, ...] = LEVELS
    reference_weights: tuple[tuple[float, ...], ...] = ()
    reference_quantiles: tuple[tuple[float, ...], ...] = ()
    linear_weights: tuple[float, ...] = ()
    linear_memory: int = 0
    blend_weights: tuple[tuple[float, ...], ...] = ()
    network_weight: float = 0.5
    widths: tuple[float, ...] = ()
    members: int = 1
    naive: str = ""
    gain: float | None = None
    coverage: tuple[float, ...] = ()
    left_out: int = 0
    table: TableFormat | None = None

    def __post_init__(self) -> None:
        rules.check_fields(self, _RULES)
        inputs, levels, groups = len(self.known) + len(self.past), len(self.levels), min(GROUPS, self.horizon)
        references = len(self.reference_weights[0]) if self.reference_weights else 0
        for name, rows, columns in (
            ("centers", inputs, None),
            ("spreads", inputs, None),
            ("widths", levels, None),
            ("reference_weights", groups, references),
            ("blend_weights", groups if self.linear_weights else 0, references + 1),
            ("reference_quantiles", self.horizon, levels),
        ):
            value = getattr(self, name)
            if len(value) != rows or (columns is not None and any(len(row) != columns for row in value)):
                shape = f"{rows} numbers" if columns is None else f"{rows} rows of {columns} numbers"
                raise FileFormatError(f"the forecaster's {name} must be {shape}")

        self._check_linear()

    def _check_linear(self) -> None:
        """Refuse weights of the linear autoregression that are of other lags, or of too large a map."""
        if not self.linear_weights:
            return
        lags = linear.lags_of(min(self.context, MAX_ROW), self.periods)
        needed = len(lags) + (self.linear_memory > 0)
        if self.context > MAX_ROW or len(self.linear_weights) != needed:
            raise FileFormatError(f"the forecaster's linear_weights must be none, or {needed} numbers")
        steps = int(lags.max(initial=1))
        if (steps + self.horizon) * (steps + 1) > linear.MOST_NUMBERS:
            raise FileFormatError("the forecaster's linear_weights must be none for so long a horizon and context")

    @property
    def median(self) -> int:
        """The place of the median among the levels."""
        return self.levels.index(0.5)

    @property
    def is_certain(self) -> bool:
        """Whether all intervals have the width zero: the references forecast alone, and nearly never erred."""
        return not self.network_weight and not any(map(any, self.reference_quantiles))

    def to_content(self) -> dict[str, Any]:
        """The recipe as JSON's lists, objects, texts and numbers."""
        return rules.content_of(self)

    @classmethod
    def from_content(cls, content: Any) -> Recipe:
        """The recipe that JSON content holds.

        Raises:
            FileFormatError: a field is missing, is not known, or has a value that it cannot have; the message names it.
        """
        return cls(**rules.fields_from(content, cls))


def _are_levels(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) <= MAX_LEVELS
        and all(map(rules.is_number, value))
        and 0.5 in value
        and all(one < other for one, other in pairwise((0, *value, 1)))
    )


def _is_transform(value: object) -> bool:
    return isinstance(value, str) and value in BY_NAME


_ROW = list_of(NUMBER, MAX_ROW, "finite numbers")
_RULES: Mapping[str, Rule] = {
    **rules.COMMON,
    "periods": list_of(rules.STEPS, MAX_PERIODS, f"whole numbers from 1 to {MAX_STEPS}"),
    "transform": or_null(Rule(f"one of {', '.join(BY_NAME)}", _is_transform)),
    "past": list_of(rules.TEXT, MAX_COLUMNS, "texts"),
    "centers": list_of(NUMBER, 2 * MAX_COLUMNS, "finite numbers"),
    "spreads": list_of(rules.POSITIVE, 2 * MAX_COLUMNS, "finite numbers above zero"),
    "levels": Rule(f"at most {MAX_LEVELS} ascending numbers between 0 and 1, 0.5 among them", _are_levels),
    "reference_weights": list_of(_ROW, GROUPS, "rows of finite numbers"),
    "reference_quantiles": list_of(_ROW, MAX_HORIZON, "rows of finite numbers"),
    "linear_weights": _ROW,
    "linear_memory": rules.whole(0, MAX_STEPS),
    "blend_weights": list_of(_ROW, GROUPS, "rows of finite numbers"),
    "network_weight": rules.SHARE,
    "widths": list_of(rules.FACTOR, MAX_LEVELS, "finite numbers from zero"),
    "members": rules.whole(1, MAX_MEMBERS),
}
