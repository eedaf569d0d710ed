"""``Recipe``: what a forecaster knows besides the weights of its networks; plain data, which its file holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.errors import FileFormatError
from recurra.series.forecast import LEVELS
from recurra.series.frequency import Frequency
from recurra.series.table_format import TableFormat

MAX_STEPS = 100_000  # of a horizon, a context or a season
MAX_ITEMS = 100_000  # numbers of one list


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
        for name, least in (("horizon", 1), ("context", 1), ("members", 1), ("left_out", 0)):
            _check(name, _is_count(getattr(self, name), least), f"a whole number from {least} to {MAX_STEPS}")
        for name in ("periods", "categories"):
            _check(name, all(_is_count(each, 1) for each in getattr(self, name)), "whole numbers above zero")
        for name in ("known", "past"):
            _check(name, all(isinstance(each, str) for each in getattr(self, name)), "texts")
        inputs = len(self.known) + len(self.past)
        _check("centers", _are_numbers(self.centers, inputs), f"{inputs} numbers")
        _check("spreads", _are_numbers(self.spreads, inputs) and all(x > 0 for x in self.spreads), "numbers above zero")
        levels = self.levels
        _check("levels", _are_numbers(levels, len(levels)) and 0.5 in levels, "numbers with 0.5 among them")
        ascending = all(one < other for one, other in zip((0.0, *levels), (*levels, 1.0), strict=True))
        _check("levels", ascending, "ascending numbers between 0 and 1")
        _check("widths", _are_numbers(self.widths, len(levels)) and min(self.widths) >= 0, "a number for each level")
        groups, rows = self.reference_weights, self.reference_quantiles
        rules = len(groups[0]) if groups else 0
        _check(
            "reference_weights",
            len(groups) == min(3, self.horizon) and all(_are_numbers(group, rules) for group in groups),
            "numbers for each group of the horizon",
        )
        _check(
            "reference_quantiles",
            len(rows) == self.horizon and all(_are_numbers(row, len(levels)) for row in rows),
            "a number for each step and level",
        )
        _check("network_weight", _are_numbers([self.network_weight], 1) and 0 <= self.network_weight <= 1, "0 to 1")
        _check("logarithm", self.logarithm in (True, False, None), "true, false or null")
        _check("least", self.least is None or _are_numbers([self.least], 1), "null or a number")
        _check("gain", self.gain is None or _are_numbers([self.gain], 1), "null or a number")
        _check("coverage", _are_numbers(self.coverage, len(self.coverage)), "numbers")
        _check("naive", isinstance(self.naive, str), "a text")

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
        if not isinstance(content, dict) or content.keys() != set(names):
            raise FileFormatError(f"a forecaster must have the fields {', '.join(names)}, and no others")
        values: dict[str, Any] = {
            name: _tuples(name, value) if isinstance(value, list) else value for name, value in content.items()
        }
        table = None if content["table"] is None else TableFormat.from_content(content["table"])
        values |= {"frequency": Frequency.from_content(content["frequency"]), "table": table}
        return cls(**values)


def _tuples(name: str, value: list[Any]) -> tuple[Any, ...]:
    if len(value) > MAX_ITEMS:
        raise FileFormatError(f"the forecaster's {name} has {len(value)} items; at most {MAX_ITEMS} are read")
    return tuple(tuple(each) if isinstance(each, list) else each for each in value)


def _is_count(value: object, least: int) -> bool:
    return type(value) is int and least <= value <= MAX_STEPS


def _are_numbers(values: Sequence[Any], count: int) -> bool:
    return (
        isinstance(values, (tuple, list))
        and len(values) == count
        and all(isinstance(x, (int, float)) and not isinstance(x, bool) and abs(x) < np.inf for x in values)
    )


def _check(name: str, is_right: bool, rule: str) -> None:
    if not is_right:
        raise FileFormatError(f"the forecaster's {name} must be {rule}")
