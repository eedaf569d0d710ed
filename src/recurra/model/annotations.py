"""The table of annotations: the one list of facts that a file may hold beside a model's parts and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from recurra.errors import FileFormatError, RunError
from recurra.model import series
from recurra.model.content import fields
from recurra.model.interface import leaves
from recurra.model.kinds import role
from recurra.model.part import Part
from recurra.program.serial import shown
from recurra.vocabulary import Vocabulary

MAX_CHARACTERS = 160_000  # in a vocabulary of characters; Unicode 16 has 154,998
MAX_WORDS = 270_000  # in a vocabulary of words; WikiText-103 has 267,735


@dataclass(frozen=True)
class Annotation:
    """A row of the table.

    Attributes:
        type: the class of the annotation's values.
        to_content: turns a value into JSON's lists, objects, texts and numbers.
        from_content: turns such content into a value; checks and caps every field, and raises a FileFormatError.
        problem: gives the reason why a model cannot have the value; None where it can.
        summary: describes a value in a few words.
    """

    type: type
    to_content: Callable[[Any], Any]
    from_content: Callable[[Any], Any]
    problem: Callable[[Any, Part], str | None]
    summary: Callable[[Any], str]


def _vocabulary_out(vocabulary: Vocabulary) -> dict[str, str]:
    return {"level": vocabulary.level, "tokens": vocabulary.joined}


def _vocabulary_in(content: Any) -> Vocabulary:
    given = fields(content, "'vocabulary'", ("level", "tokens"))
    level, tokens = given["level"], given["tokens"]
    if level not in ("char", "word") or not isinstance(tokens, str):
        raise FileFormatError("'vocabulary' must hold its level, char or word, and its tokens, a text")
    # Tokens are counted before they are split: too many would take all memory.
    count, most = (len(tokens), MAX_CHARACTERS) if level == "char" else (tokens.count(" ") + 1, MAX_WORDS)
    if count > most:
        raise FileFormatError(f"'vocabulary' has {count} tokens; at most {most} are read")
    try:
        tokens.encode()  # JSON can hold half of a surrogate pair
        return Vocabulary.of_joined(level, tokens)
    except UnicodeEncodeError:
        raise FileFormatError("'vocabulary' has half of a character") from None
    except RunError as error:
        raise FileFormatError(f"'vocabulary': {error}") from None


def _vocabulary_problem(vocabulary: Vocabulary, root: Part) -> str | None:
    first = next((part for _, part in leaves(root)), None)
    if first is not None and role(first) == "table" and first.size("num_embeddings") == len(vocabulary):
        return None
    return f"a vocabulary of {len(vocabulary)} tokens needs an Embedding of as many as its first part"


ANNOTATIONS: Mapping[str, Annotation] = {
    "vocabulary": Annotation(
        Vocabulary,
        _vocabulary_out,
        _vocabulary_in,
        _vocabulary_problem,
        lambda vocabulary: f"a vocabulary of {len(vocabulary):,} tokens ({vocabulary.level})",
    ),
    "series": Annotation(series.Series, series.to_content, series.from_content, series.problem, str),
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
        if not isinstance(value, annotation.type):
            expected = f"{annotation.type.__module__}.{annotation.type.__qualname__}"
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
