"""``TableFormat``: the meaning of a table's columns, and how its times and ids are written."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from recurra.errors import FileFormatError, one_line
from recurra.series.frequency import Frequency
from recurra.series.table import listed
from recurra.series.units import steps_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

TimeKind = Literal["text", "number", "time", "clock", "none"]
MAX_COLUMNS = 20_000  # of a table
MAX_NAMES = 1_000_000  # ids of series, or categories of a column


@dataclass(frozen=True)
class TableFormat:
    """The meaning of a table's columns.

    Attributes:
        frequency: the grid of times.
        targets: the columns that are forecast: one in long form; of several, each is a series, with its name as the id.
        time: the column of times; None where a series' rows are numbered as they come.
        ids: the columns that tell series apart; none for a single series and in wide form.
        known: the inputs that are known ahead of time.
        past: the inputs that are known up to the present.
        static: the categories of a series.
        time_kind: how times stand in the table: as texts, numbers, times with a zone or without any, times on the
            clocks of the frequency's zone, or not at all.
        time_pattern: the pattern of texts and numbers that are dates; None for others.
        whole_ids: for each column of ids whether it has whole numbers.
        known_categories: for each known input its categories, of which each is a feature of 0 or 1; none for numbers.
        static_categories: for each static column its categories; their numbers in a panel begin with 1.
        trained_ids: the ids of the series that a model was trained on.
    """

    frequency: Frequency
    targets: tuple[str, ...]
    time: str | None = None
    ids: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    time_kind: TimeKind = "none"
    time_pattern: str | None = None
    whole_ids: tuple[bool, ...] = ()
    known_categories: tuple[tuple[str, ...], ...] = ()
    static_categories: tuple[tuple[str, ...], ...] = ()
    trained_ids: tuple[str, ...] = ()

    @property
    def is_wide(self) -> bool:
        """Whether each of several target columns is a series."""
        return len(self.targets) > 1

    @property
    def known_features(self) -> tuple[str, ...]:
        """The names of a panel's known inputs: a column's, or ``column=category`` for each category."""
        pairs = zip(self.known, self.known_categories, strict=True)
        return tuple(
            name for column, found in pairs for name in ([f"{column}={each}" for each in found] if found else [column])
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that have a meaning."""
        time = () if self.time is None else (self.time,)
        return (*time, *self.ids, *self.targets, *self.known, *self.past, *self.static)

    def to_content(self) -> dict[str, Any]:
        """The format as JSON content."""
        content = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        return {**content, "frequency": self.frequency.to_content()}

    @classmethod
    def from_content(cls, content: Any) -> TableFormat:
        """The format that JSON content holds.

        Raises:
            FileFormatError: a field is missing, not known or out of range.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(content, dict) or content.keys() != names:
            raise FileFormatError(f"the format of a table must be an object of {', '.join(sorted(names))}")
        kept: dict[str, Any] = {"frequency": Frequency.from_content(content["frequency"])}
        for name in ("time", "time_pattern"):
            kept[name] = _checked(content[name], name, lambda value: value is None or isinstance(value, str))
        kept["time_kind"] = _checked(content["time_kind"], "time_kind", lambda value: value in get_args(TimeKind))
        for name in ("targets", "ids", "known", "past", "static"):
            kept[name] = _names(content[name], name, MAX_COLUMNS)
        for name in ("known_categories", "static_categories"):
            lists = _checked(content[name], name, lambda value: isinstance(value, list))
            kept[name] = tuple(_names(each, name, MAX_NAMES) for each in lists)
        kept["trained_ids"] = _names(content["trained_ids"], "trained_ids", MAX_NAMES)
        whole = _checked(content["whole_ids"], "whole_ids", lambda value: isinstance(value, list))
        kept["whole_ids"] = tuple(_checked(each, "whole_ids", lambda value: type(value) is bool) for each in whole)
        made = cls(**kept)
        made._check_lengths()
        return made

    def _check_lengths(self) -> None:
        pairs = (
            ("known", self.known_categories),
            ("static", self.static_categories),
            ("ids", self.whole_ids),
        )
        for name, values in pairs:
            if len(values) != len(getattr(self, name)):
                raise FileFormatError(
                    f"the format of a table has {len(getattr(self, name))} {name} and {len(values)} of them"
                )
        if not self.targets or len(set(self.columns)) < len(self.columns):
            raise FileFormatError("the format of a table needs a target, and each column once")
        if (self.time is None) != (self.time_kind == "none"):
            raise FileFormatError("the format of a table has a time column and no kind of times, or the reverse")


def _plain(value: Any) -> Any:
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _checked(value: Any, name: str, right: Callable[[Any], bool]) -> Any:
    if not right(value):
        raise FileFormatError(f"the format of a table has a field {name} that it cannot have")
    return value


def _names(value: Any, name: str, most: int) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > most or not all(isinstance(each, str) for each in value):
        raise FileFormatError(f"the format of a table must have at most {most} texts as {name}")
    return tuple(value)


def describe(form: TableFormat, rows: int, series: int, season: int | None = None, horizon: int | None = None) -> str:
    """The line that says how a table was understood, and how to overrule it.

    Args:
        form: the meaning of the columns.
        rows: the number of rows.
        series: the number of series.
        season: the number of steps of a season; None where there is none.
        horizon: the number of steps that are forecast; None where nothing is.
    """
    time = "rows as steps" if form.time is None else f"time column {one_line(form.time, 40)}"
    target = f"target {listed(form.targets, 3)}" if not form.is_wide else f"a series each in {listed(form.targets, 3)}"
    parts = [time, target, *([f"id {' and '.join(form.ids)}"] if form.ids else [])]
    parts += [f"{what} {listed(names, 3)}" for what, names in _inputs(form) if names]
    zone = f" in {form.frequency.zone}" if form.frequency.zone else ""
    parts += [f"{form.frequency}{zone}", f"{rows} row{_s(rows)} of {series} series"]
    parts.append("no season" if season is None else f"season {season}")
    flags = ["--time", *(["--id"] if form.ids else []), "--target", "--freq"]
    if horizon is not None:
        parts.append(f"horizon {steps_in_words(form.frequency.name, horizon)}")
        flags.append("--horizon")
    return f"{', '.join(parts)}; overrule with {', '.join(flags)}"


def _inputs(form: TableFormat) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("known", form.known), ("past", form.past), ("static", form.static)


def _s(count: int) -> str:
    return "" if count == 1 else "s"
