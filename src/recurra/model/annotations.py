"""The table of annotations: the one list of facts that a file may hold beside a model's parts and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from recurra.errors import FileFormatError
from recurra.model import autoregressive, forecaster, vocabulary
from recurra.model.part import Part
from recurra.program.serial import shown
from recurra.vocabulary import Vocabulary


@dataclass(frozen=True)
class Annotation:
    """A row of the table.

    Attributes:
        values: gives the class of the annotation's values, which a process without any need not import.
        to_content: turns a value into JSON's lists, objects, texts and numbers.
        from_content: turns such content into a value; checks and caps every field, and raises a FileFormatError.
        problem: gives the reason why a model cannot have the value; None where it can.
        summary: describes a value in a few words.
    """

    values: Callable[[], type]
    to_content: Callable[[Any], Any]
    from_content: Callable[[Any], Any]
    problem: Callable[[Any, Part], str | None]
    summary: Callable[[Any], str]


def _recipe(
    values: Callable[[], Any], problem: Callable[[Any, Part], str | None], summary: Callable[[Any], str]
) -> Annotation:
    """The row of a recipe, whose class turns its values into content and back."""
    return Annotation(
        values,
        lambda value: value.to_content(),
        lambda content: values().from_content(content),
        problem,
        summary,
    )


ANNOTATIONS: Mapping[str, Annotation] = {
    "vocabulary": Annotation(
        lambda: Vocabulary,
        vocabulary.to_content,
        vocabulary.from_content,
        vocabulary.problem,
        lambda value: f"a vocabulary of {len(value):,} tokens ({value.level})",
    ),
    "forecaster": _recipe(forecaster.recipe_class, forecaster.problem, forecaster.summary),
    "autoregressive": _recipe(autoregressive.recipe_class, autoregressive.problem, autoregressive.summary),
}


def check_annotations(annotations: Mapping[str, object], root: Part) -> None:
    """Refuse annotations that are not known, or that need another model.

    Args:
        annotations: the values, by name.
        root: the model's parts, which are known to fit behind one another.

    Raises:
        FileFormatError: an annotation is not known, or needs another model; the message says what it needs.
        TypeError: a value is not of the annotation's class.
    """
    for name, value in annotations.items():
        annotation = _row(name)
        kind = annotation.values()
        if not isinstance(value, kind):
            expected = f"{kind.__module__}.{kind.__qualname__}"
            raise TypeError(f"{name} must be a {expected}, not {type(value).__name__}")
        problem = annotation.problem(value, root)
        if problem is not None:
            raise FileFormatError(problem)


def to_content(annotations: Mapping[str, object]) -> dict[str, Any]:
    """Known annotations as JSON content, by name."""
    return {name: ANNOTATIONS[name].to_content(value) for name, value in annotations.items()}


def from_content(content: Any) -> dict[str, object]:
    """The annotations that JSON content holds, by name.

    Raises:
        FileFormatError: an annotation is not known, or one of its fields is wrong; the message names it.
    """
    if not isinstance(content, dict):
        raise FileFormatError(f"'annotations' must be an object, not {type(content).__name__}")
    rows = {name: _row(name) for name in content}
    return {name: row.from_content(content[name]) for name, row in rows.items()}


def _row(name: str) -> Annotation:
    row = ANNOTATIONS.get(name)
    if row is None:
        raise FileFormatError(f"the annotation {shown(name)} is not known; known are {', '.join(sorted(ANNOTATIONS))}")
    return row
