"""The annotation of a language model: its vocabulary, as JSON content, and the check that it fits the model."""

from __future__ import annotations

import re
from typing import Any

from recurra.errors import FileFormatError, RunError
from recurra.model.content import fields
from recurra.model.interface import leaves
from recurra.model.kinds import role
from recurra.model.part import Part
from recurra.vocabulary import LEVELS, Vocabulary

MAX_CHARACTERS = 160_000  # in a vocabulary of characters; Unicode 16 has 154,998
MAX_WORDS = 270_000  # in a vocabulary of words; WikiText-103 has 267,735
MAX_MERGES = 65_280  # in a vocabulary of byte pairs: with the 256 bytes, tokens that two bytes can number
_MERGES = re.compile(r"(?:\d{1,5} \d{1,5}(?: (?!\Z)|\Z))*", re.ASCII)


def to_content(vocabulary: Vocabulary) -> dict[str, str]:
    """Write a vocabulary as JSON content: its level, and the tokens or merges, if it has any, as one text."""
    content = {"level": vocabulary.level}
    if vocabulary.level in ("char", "word"):
        content["tokens"] = ("" if vocabulary.level == "char" else " ").join(vocabulary.tokens[1:])
    elif vocabulary.level == "bpe":
        content["merges"] = " ".join(f"{left} {right}" for left, right in vocabulary.merges)
    return content


def from_content(content: Any) -> Vocabulary:
    """Read a vocabulary from JSON content, and check all fields.

    Raises:
        FileFormatError: a field is missing, not known or out of range.
    """
    level = fields(content, "'vocabulary'", ("level",), ("tokens", "merges"))["level"]
    if level not in LEVELS:
        raise FileFormatError(f"the level of 'vocabulary' must be one of {', '.join(LEVELS)}")
    if level == "byte":
        fields(content, "'vocabulary'", ("level",))
        return Vocabulary("byte")
    name = "merges" if level == "bpe" else "tokens"
    text = fields(content, "'vocabulary'", ("level", name))[name]
    if not isinstance(text, str):
        raise FileFormatError(f"the {name} of 'vocabulary' must be a text")
    try:
        return _merged(text) if level == "bpe" else _listed(level, text)
    except RunError as error:
        raise FileFormatError(f"'vocabulary': {error}") from None


def _listed(level: str, tokens: str) -> Vocabulary:
    # Tokens are counted before they are split: too many would take all memory.
    count, most = (len(tokens), MAX_CHARACTERS) if level == "char" else (tokens.count(" ") + 1, MAX_WORDS)
    if count > most:
        raise FileFormatError(f"'vocabulary' has {count} tokens; at most {most} are read")
    try:
        tokens.encode()  # JSON can hold half of a surrogate pair
    except UnicodeEncodeError:
        raise FileFormatError("'vocabulary' has half of a character") from None
    return Vocabulary(level, ["<unk>", *(tokens if level == "char" else tokens.split(" "))])


def _merged(merges: str) -> Vocabulary:
    count = (merges.count(" ") + 1) // 2
    if count > MAX_MERGES:
        raise FileFormatError(f"'vocabulary' has {count} merges; at most {MAX_MERGES} are read")
    if not _MERGES.fullmatch(merges):
        raise FileFormatError("the merges of 'vocabulary' must be pairs of token numbers, with a space between numbers")
    numbers = list(map(int, merges.split()))
    return Vocabulary("bpe", merges=list(zip(numbers[::2], numbers[1::2], strict=True)))


def problem(vocabulary: Vocabulary, root: Part) -> str | None:
    """The reason why a model cannot have the vocabulary; None where it can."""
    first = next((part for _, part in leaves(root)), None)
    if role(root) == "models":
        return "a vocabulary needs a model that runs by itself, not several"
    if first is not None and role(first) == "table" and first.size("num_embeddings") == len(vocabulary):
        return None
    return f"a vocabulary of {len(vocabulary)} tokens needs an Embedding of as many as its first part"
