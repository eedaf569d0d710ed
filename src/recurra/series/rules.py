"""Rules that the fields of a forecaster's recipe follow, and recipes as JSON content."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from recurra.errors import FileFormatError
from recurra.series.frequency import Frequency
from recurra.series.table_format import TableFormat

MAX_HORIZON = 10_000  # steps
MAX_STEPS = 100_000  # of a context, a season or a lag
MAX_COLUMNS = 1_000  # of known, of past, and of static inputs
MAX_CATEGORIES = 1_000  # of a static column
MAX_NAME = 1_000  # characters of a text


@dataclass(frozen=True)
class Rule:
    """The values that a field may have, and the rule in words that complete "must be …"."""

    text: str
    is_valid: Callable[[object], bool]


def whole(least: int, most: int) -> Rule:
    """A whole number from `least` to `most`."""
    return Rule(f"a whole number from {least} to {most}", lambda value: type(value) is int and least <= value <= most)


def list_of(rule: Rule, most: int, what: str) -> Rule:
    """A tuple of at most so many values that follow a rule; `what` names them in the plural."""
    return Rule(
        f"at most {most} {what}",
        lambda value: isinstance(value, tuple) and len(value) <= most and all(map(rule.is_valid, value)),
    )


def or_null(rule: Rule) -> Rule:
    """None, or what follows a rule."""
    return Rule(f"null or {rule.text}", lambda value: value is None or rule.is_valid(value))


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")


def _is_text(value: object) -> bool:
    """Whether a value is a text that a file can hold; JSON can have half of a character."""
    return isinstance(value, str) and len(value) <= MAX_NAME and not any("\ud800" <= each <= "\udfff" for each in value)


NUMBER = Rule("a finite number", is_number)
POSITIVE = Rule("a number above zero", lambda value: is_number(value) and value > 0)
FACTOR = Rule("a number from zero", lambda value: is_number(value) and value >= 0)
SHARE = Rule("a number from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1)
TEXT = Rule(f"a text of at most {MAX_NAME} characters", _is_text)
FLAG = Rule("true or false", lambda value: type(value) is bool)
STEPS = whole(1, MAX_STEPS)

# The fields that recipes of all kinds have.
COMMON: Mapping[str, Rule] = {
    "frequency": Rule("a frequency", lambda value: isinstance(value, Frequency)),
    "horizon": whole(1, MAX_HORIZON),
    "context": STEPS,
    "least": or_null(NUMBER),
    "known": list_of(TEXT, MAX_COLUMNS, "texts"),
    "categories": list_of(whole(1, MAX_CATEGORIES), MAX_COLUMNS, f"whole numbers from 1 to {MAX_CATEGORIES}"),
    "naive": TEXT,
    "gain": or_null(NUMBER),
    "coverage": list_of(SHARE, 2, "numbers from 0 to 1"),
    "left_out": whole(0, 2**53),
    "table": or_null(Rule("the format of a table", lambda value: isinstance(value, TableFormat))),
}


def check_fields(recipe: object, rules: Mapping[str, Rule]) -> None:
    """Refuse a recipe with a field that does not follow its rule.

    Raises:
        FileFormatError: the message names the first such field.
    """
    for name, rule in rules.items():
        if not rule.is_valid(getattr(recipe, name)):
            raise FileFormatError(f"the forecaster's {name} must be {rule.text}")


def content_of(recipe: Any) -> dict[str, Any]:
    """The fields of a recipe as JSON's lists, objects, texts and numbers."""
    content = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    table = None if recipe.table is None else recipe.table.to_content()
    return {**content, "frequency": recipe.frequency.to_content(), "table": table}


def fields_from(content: Any, kind: type[Any]) -> dict[str, Any]:
    """The fields of a recipe that JSON content holds; their values are not checked yet.

    Args:
        content: the content.
        kind: the recipe's class.

    Raises:
        FileFormatError: a field is missing or not known, or the frequency or the table is damaged.
    """
    names = [field.name for field in dataclasses.fields(kind)]
    if not isinstance(content, dict):
        raise FileFormatError("a forecaster must be an object")
    missing, extra = sorted(set(names) - content.keys()), [name[:40] for name in content if name not in names]
    if missing or extra:
        raise FileFormatError(f"the forecaster: fields missing: {missing}; not known: {extra[:5]}")
    values = {name: _tuples(value) for name, value in content.items() if name not in ("frequency", "table")}
    table = None if content["table"] is None else TableFormat.from_content(content["table"])
    return {**values, "frequency": Frequency.from_content(content["frequency"]), "table": table}


def _tuples(value: Any) -> Any:
    """A value of JSON, with tuples in the place of lists and of lists in lists."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
