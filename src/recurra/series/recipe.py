"""``Recipe``: what a forecaster knows besides the weights of its networks; plain data, which its file holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from recurra.errors import FileFormatError
from recurra.series.forecast import LEVELS
from recurra.series.frequency import Frequency
from recurra.series.table_format import TableFormat

MAX_HORIZON = 10_000  # steps
MAX_STEPS = 100_000  # of a context or a season
MAX_PERIODS = 10
MAX_COLUMNS = 1_000  # of known, of past, and of static inputs
MAX_CATEGORIES = 1_000  # of a static column
MAX_LEVELS = 100
MAX_MEMBERS = 100
MAX_NAME = 1_000  # characters of a text
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
        logarithm: whether series are forecast as logarithms; None where each series decides, by `is_multiplicative`.
        least: the least value that a forecast may have, such as 0 for counts; None without one.
        known: the names of the inputs known ahead, in order.
        past: the names of the inputs known up to the present.
        centers: the centre of each known and past input, in its units.
        spreads: the spread of each, above zero.
        categories: the number of categories of each static column, besides the unknown one.
        levels: the levels of the quantiles, ascending, 0.5 among them.
        reference_weights: the weights of the reference forecasts, (groups of the horizon, references).
        reference_quantiles: the quantiles of the combined references' scaled errors, (horizon, levels); the median's
            is zero.
        network_weight: the weight of the networks' forecast beside that of the references, 0 to 1.
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
    logarithm: bool | None = False
    least: float | None = None
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    centers: tuple[float, ...] = ()
    spreads: tuple[float, ...] = ()
    categories: tuple[int, ...] = ()
    levels: tuple[float, ...] = LEVELS
    reference_weights: tuple[tuple[float, ...], ...] = ()
    reference_quantiles: tuple[tuple[float, ...], ...] = ()
    network_weight: float = 0.5
    widths: tuple[float, ...] = ()
    members: int = 1
    naive: str = ""
    gain: float | None = None
    coverage: tuple[float, ...] = ()
    left_out: int = 0
    table: TableFormat | None = None

    def __post_init__(self) -> None:
        for name, rule in _RULES.items():
            if not rule.is_valid(getattr(self, name)):
                raise FileFormatError(f"the forecaster's {name} must be {rule.text}")
        inputs, levels, groups = len(self.known) + len(self.past), len(self.levels), min(GROUPS, self.horizon)
        rules = len(self.reference_weights[0]) if self.reference_weights else 0
        for name, rows, columns in (
            ("centers", inputs, None),
            ("spreads", inputs, None),
            ("widths", levels, None),
            ("reference_weights", groups, rules),
            ("reference_quantiles", self.horizon, levels),
        ):
            value = getattr(self, name)
            if len(value) != rows or (columns is not None and any(len(row) != columns for row in value)):
                shape = f"{rows} numbers" if columns is None else f"{rows} rows of {columns} numbers"
                raise FileFormatError(f"the forecaster's {name} must be {shape}")

    @property
    def median(self) -> int:
        """The place of the median among the levels."""
        return self.levels.index(0.5)

    def to_content(self) -> dict[str, Any]:
        """The recipe as JSON's lists, objects, texts and numbers."""
        content = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        table = None if self.table is None else self.table.to_content()
        return {**content, "frequency": self.frequency.to_content(), "table": table}

    @classmethod
    def from_content(cls, content: Any) -> Recipe:
        """The recipe that JSON content holds.

        Raises:
            FileFormatError: a field is missing, is not known, or has a value that it cannot have; the message names it.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(content, dict):
            raise FileFormatError("a forecaster must be an object")
        missing, extra = sorted(set(names) - content.keys()), [name[:40] for name in content if name not in names]
        if missing or extra:
            raise FileFormatError(f"the forecaster: fields missing: {missing}; not known: {extra[:5]}")
        values = {name: _tuples(value) for name, value in content.items() if name not in ("frequency", "table")}
        table = None if content["table"] is None else TableFormat.from_content(content["table"])
        return cls(**values, frequency=Frequency.from_content(content["frequency"]), table=table)


def _tuples(value: Any) -> Any:
    """A value of JSON, with tuples in the place of lists and of lists in lists."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class _Rule:
    """The values that a field may have, and the rule in words that complete "must be …"."""

    text: str
    is_valid: Callable[[object], bool]


def _whole(least: int, most: int) -> _Rule:
    return _Rule(f"a whole number from {least} to {most}", lambda value: type(value) is int and least <= value <= most)


def _list_of(rule: _Rule, most: int, what: str) -> _Rule:
    return _Rule(
        f"at most {most} {what}",
        lambda value: isinstance(value, tuple) and len(value) <= most and all(map(rule.is_valid, value)),
    )


def _or_null(rule: _Rule) -> _Rule:
    return _Rule(f"null or {rule.text}", lambda value: value is None or rule.is_valid(value))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")


def _is_text(value: object) -> bool:
    """Whether a value is a text that a file can hold; JSON can have half of a character."""
    return isinstance(value, str) and len(value) <= MAX_NAME and not any("\ud800" <= each <= "\udfff" for each in value)


def _are_levels(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) <= MAX_LEVELS
        and all(map(_is_number, value))
        and 0.5 in value
        and all(one < other for one, other in pairwise((0, *value, 1)))
    )


_NUMBER = _Rule("a finite number", _is_number)
_POSITIVE = _Rule("a number above zero", lambda value: _is_number(value) and value > 0)  # type: ignore[operator]
_FACTOR = _Rule("a number from zero", lambda value: _is_number(value) and value >= 0)  # type: ignore[operator]
_SHARE = _Rule("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)  # type: ignore[operator]
_TEXT = _Rule(f"a text of at most {MAX_NAME} characters", _is_text)
_FLAG = _Rule("true or false", lambda value: type(value) is bool)
_STEPS = _whole(1, MAX_STEPS)
_ROW = _list_of(_NUMBER, MAX_ROW, "finite numbers")
_RULES: Mapping[str, _Rule] = {
    "frequency": _Rule("a frequency", lambda value: isinstance(value, Frequency)),
    "horizon": _whole(1, MAX_HORIZON),
    "context": _STEPS,
    "periods": _list_of(_STEPS, MAX_PERIODS, f"whole numbers from 1 to {MAX_STEPS}"),
    "logarithm": _or_null(_FLAG),
    "least": _or_null(_NUMBER),
    "known": _list_of(_TEXT, MAX_COLUMNS, "texts"),
    "past": _list_of(_TEXT, MAX_COLUMNS, "texts"),
    "centers": _list_of(_NUMBER, 2 * MAX_COLUMNS, "finite numbers"),
    "spreads": _list_of(_POSITIVE, 2 * MAX_COLUMNS, "finite numbers above zero"),
    "categories": _list_of(_whole(1, MAX_CATEGORIES), MAX_COLUMNS, f"whole numbers from 1 to {MAX_CATEGORIES}"),
    "levels": _Rule(f"at most {MAX_LEVELS} ascending numbers between 0 and 1, 0.5 among them", _are_levels),
    "reference_weights": _list_of(_ROW, GROUPS, "rows of finite numbers"),
    "reference_quantiles": _list_of(_ROW, MAX_HORIZON, "rows of finite numbers"),
    "network_weight": _SHARE,
    "widths": _list_of(_FACTOR, MAX_LEVELS, "finite numbers from zero"),
    "members": _whole(1, MAX_MEMBERS),
    "naive": _TEXT,
    "gain": _or_null(_NUMBER),
    "coverage": _list_of(_SHARE, 2, "numbers from 0 to 1"),
    "left_out": _whole(0, 2**53),
    "table": _or_null(_Rule("the format of a table", lambda value: isinstance(value, TableFormat))),
}
