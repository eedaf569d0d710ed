"""Time series as an annotation of a model: the meaning of its features, and their scaling."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from recurra.errors import FileFormatError
from recurra.model.content import fields, is_name
from recurra.model.interface import leaves
from recurra.model.kinds import features, role
from recurra.model.part import Part
from recurra.program.serial import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MAX_COLUMNS = 1_000
MAX_SCALES = 20_000  # numbers of a scaling: series times columns
MAX_STEPS = 1_000_000  # steps of a horizon, a period or a context
MAX_QUANTILES = 100
MAX_FREQUENCY = 20  # characters

ColumnRole = Literal["target", "past", "future"]


@dataclass(frozen=True)
class Column:
    """A column of a table of time series, and one feature of a model's input.

    Attributes:
        name: its name in the table's header; 1 to 100 printable characters.
        role: ``"target"`` is forecast, ``"past"`` is known up to the present, ``"future"`` is known ahead.

    Raises:
        FileFormatError: the name or the role is not allowed.
    """

    name: str
    role: ColumnRole

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise FileFormatError(f"no column can have the name {shown(self.name)}")
        if self.role not in get_args(ColumnRole):
            roles = ", ".join(get_args(ColumnRole))
            raise FileFormatError(f"column {self.name}: the role must be one of {roles}, not {shown(self.role)}")


class Scaling:
    """The scaling of a table's numbers: a model computes with ``(number - offset) / scale``.

    Args:
        offset: (series, columns), or (columns,) for all series alike; in the units of the table.
        scale: the same shape and units; above zero.
        series: the name of each series, in the order of the rows; None where all are scaled alike.

    Attributes:
        offset: float64 (series, columns); one row where all series are scaled alike. Read-only.
        scale: float64, of the same shape. Read-only.
        series: the names, or None.

    Raises:
        FileFormatError: shapes differ, a number is not finite, a scale is not above zero, a name occurs twice, or there
            are too many numbers.
    """

    offset: NDArray[np.float64]
    scale: NDArray[np.float64]
    series: tuple[str, ...] | None

    def __init__(self, offset: ArrayLike, scale: ArrayLike, series: Sequence[str] | None = None) -> None:
        self.offset, self.scale = _rows_of(offset), _rows_of(scale)
        self.series = None if series is None else tuple(series)
        rows = 1 if self.series is None else len(self.series)
        for name, array in (("offset", self.offset), ("scale", self.scale)):
            if array.ndim != 2 or array.shape != (rows, self.offset.shape[-1]) or not array.size:
                raise FileFormatError(f"the scaling's {name} must be ({rows} series, columns); got {array.shape}")
            if array.size > MAX_SCALES:
                raise FileFormatError(f"the scaling has {array.size} numbers; at most {MAX_SCALES} are read")
            if not np.isfinite(array).all():
                raise FileFormatError(f"the scaling's {name} has a number that is not finite")
        if not (self.scale > 0).all():
            raise FileFormatError("the scaling's scale has a number that is not above zero")
        _check_names("series", self.series or ())


def _rows_of(numbers: ArrayLike) -> NDArray[np.float64]:
    array = np.array(numbers, np.float64, ndmin=2)
    array.flags.writeable = False
    return array


def _check_names(what: str, names: Sequence[object]) -> None:
    seen: set[object] = set()
    for name in names:
        if not is_name(name):
            raise FileFormatError(f"no {what} can have the name {shown(name)}")
        if name in seen:
            raise FileFormatError(f"the {what} {shown(name)} occurs twice")
        seen.add(name)


@dataclass(frozen=True)
class Series:
    """The time series that a model forecasts.

    Attributes:
        columns: the features of the model's input, in order; at least one is a target. The model's output has the
            targets in the same order, for each of the quantiles where there are any.
        horizon: the number of steps that are forecast.
        context: the number of past steps that the model is given; None for any number.
        frequency: the frequency of steps, such as ``"h"`` or ``"15min"``, 1 to 20 printable characters; None where
            unknown.
        period: the number of steps of a season, such as 24 for hours; None without a season.
        quantiles: the levels that are forecast, ascending, between 0 and 1; empty for a single value.
        scaling: the scaling of the columns; None where the model computes with the table's own numbers.
        time_column: the name of the table's column of times, which is no feature; None where there is none.
        series_column: the name of the column that tells series apart, which is no feature; None for a single series.

    Raises:
        FileFormatError: a field has a value that it cannot have; the message names it.
    """

    columns: tuple[Column, ...]
    horizon: int
    context: int | None = None
    frequency: str | None = None
    period: int | None = None
    quantiles: tuple[float, ...] = ()
    scaling: Scaling | None = None
    time_column: str | None = None
    series_column: str | None = None

    def __post_init__(self) -> None:
        if len(self.columns) > MAX_COLUMNS:
            raise FileFormatError(f"the series has {len(self.columns)} columns; at most {MAX_COLUMNS} are read")
        others = [name for name in (self.time_column, self.series_column) if name is not None]
        _check_names("column", [*(column.name for column in self.columns), *others])
        if not self.targets:
            raise FileFormatError("the series has no column that is a target")
        for name, value in (("horizon", self.horizon), ("context", self.context), ("period", self.period)):
            if not (value is None and name != "horizon") and not _is_count(value):
                raise FileFormatError(
                    f"the series' {name} must be a whole number from 1 to {MAX_STEPS}, not {shown(value)}"
                )
        if self.frequency is not None and not (is_name(self.frequency) and len(self.frequency) <= MAX_FREQUENCY):
            raise FileFormatError(f"the series' frequency must have 1 to {MAX_FREQUENCY} characters that can be shown")
        if len(self.quantiles) > MAX_QUANTILES:
            raise FileFormatError(f"the series has {len(self.quantiles)} quantiles; at most {MAX_QUANTILES} are read")
        if not all(_is_number(level) and 0 < level < 1 for level in self.quantiles) or any(
            low >= high for low, high in zip(self.quantiles, self.quantiles[1:], strict=False)
        ):
            raise FileFormatError("the series' quantiles must be numbers between 0 and 1, each larger than the last")
        self._check_scaling()

    def _check_scaling(self) -> None:
        if self.scaling is None:
            return
        if self.scaling.offset.shape[1] != len(self.columns):
            raise FileFormatError(
                f"the series has {len(self.columns)} columns, and its scaling {self.scaling.offset.shape[1]}"
            )
        if self.scaling.series is not None and self.series_column is None:
            raise FileFormatError("a scaling of each series needs a series_column, which tells them apart")

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the columns that are forecast."""
        return tuple(column.name for column in self.columns if column.role == "target")

    def __str__(self) -> str:
        every = "" if self.frequency is None else f", frequency {self.frequency}"
        return f"time series of {len(self.columns)} columns (forecast: {', '.join(self.targets)}){every}"


def _is_count(value: object) -> bool:
    return type(value) is int and 1 <= value <= MAX_STEPS


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# ---- to and from JSON ----

_FIELDS = tuple(field.name for field in dataclasses.fields(Series))


def to_content(series: Series) -> dict[str, Any]:
    """Time series as JSON's lists, objects, texts and numbers."""
    content: dict[str, Any] = {name: getattr(series, name) for name in _FIELDS}
    content["columns"] = [{"name": column.name, "role": column.role} for column in series.columns]
    content["quantiles"] = list(series.quantiles)
    if series.scaling is not None:
        names = series.scaling.series
        content["scaling"] = {
            "series": None if names is None else list(names),
            "offset": series.scaling.offset.tolist(),
            "scale": series.scaling.scale.tolist(),
        }
    return content


def from_content(content: Any) -> Series:
    """The time series that JSON content holds.

    Raises:
        FileFormatError: a field is missing, is not known, or has a value that it cannot have; the message names it.
    """
    given = fields(content, "the annotation 'series'", _FIELDS)
    columns = _items(given["columns"], "columns", MAX_COLUMNS)
    quantiles = _items(given["quantiles"], "quantiles", MAX_QUANTILES)
    scaling = None if given["scaling"] is None else _scaling(given["scaling"])
    read = [fields(column, "a column of 'series'", ("name", "role")) for column in columns]
    return Series(
        **{
            **given,
            "columns": tuple(Column(column["name"], column["role"]) for column in read),
            "quantiles": tuple(quantiles),
            "scaling": scaling,
        }
    )


def _scaling(content: Any) -> Scaling:
    given: Mapping[str, Any] = fields(content, "the scaling of 'series'", ("series", "offset", "scale"))
    names = given["series"]
    if names is not None:
        names = _items(names, "names of the scaling", MAX_SCALES)
    return Scaling(_numbers(given["offset"], "offset"), _numbers(given["scale"], "scale"), names)


def _items(content: Any, what: str, most: int) -> list[Any]:
    if not isinstance(content, list) or len(content) > most:
        raise FileFormatError(f"the {what} of 'series' must be a list of at most {most}")
    return content


def _numbers(content: Any, what: str) -> list[list[Any]]:
    """Content that must be rows of numbers, all of one length."""
    rows = [_items(row, what, MAX_SCALES) for row in _items(content, what, MAX_SCALES)]
    if len(set(map(len, rows))) > 1 or sum(map(len, rows)) > MAX_SCALES:
        raise FileFormatError(f"the {what} of 'series' must be rows of one length, of at most {MAX_SCALES} numbers")
    if not all(map(_is_number, (number for row in rows for number in row))):
        raise FileFormatError(f"the {what} of 'series' must be numbers")
    return rows


def problem(series: Series, root: Part) -> str | None:
    """The reason why a model cannot forecast these series; None where it can."""
    parts = [part for _, part in leaves(root)]
    if parts and role(parts[0]) == "table":
        return "time series need a model that takes features; it takes tokens"
    # Activations take any number of features; the first other part settles it.
    taken = next((features(part)[0] for part in parts if features(part) != (None, None)), None)
    if taken not in (None, len(series.columns)):
        return f"time series of {len(series.columns)} columns need a model of as many features; it takes {taken}"
    return None
