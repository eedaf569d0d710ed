"""The table of torch's operations: for each a rule that writes nodes of the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# A rule: the writer, the torch operation's arguments → the value's name, or a tuple of names; or a Ref or number.
TranslationRule = Callable[..., Any]
TABLE: dict[str, TranslationRule] = {}


def rule(*names: str) -> Callable[[TranslationRule], TranslationRule]:
    """Enter a rule ``(writer, *arguments, **options) -> names`` for operations such as ``"aten.relu.default"``."""

    def enter(function: TranslationRule) -> TranslationRule:
        TABLE.update(dict.fromkeys(names, function))
        return function

    return enter


def same(**operators: str) -> None:
    """Enter operations of one tensor, ``aten.NAME.default``, that are an operator of the graph without attributes."""

    def one(operator: str) -> TranslationRule:
        return lambda w, x: w.node(operator, x)

    TABLE.update({f"aten.{name}.default": one(operator) for name, operator in operators.items()})
