"""Scores of texts: of the tokens of a token file, and token by token as rows for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from recurra.errors import RunError
from recurra.runtime import Model, Score
from recurra.runtime.language import vocabulary_of
from recurra.runtime.scoring import surprises
from recurra.tasks.text.token_file import open_token_file
from recurra.vocabulary import UNKNOWN, Vocabulary, tokens_of


def score_of_tokens(model: Model, path: Path, lanes: int = 1) -> Score:
    """The score of the text to validate on in a token file, whose tokens are read into memory.

    Args:
        model: a language model.
        path: the token file.
        lanes: the number of parts of the text that are read side by side. Default 1.

    Raises:
        RunError: the file is refused, or its vocabulary is not the model's.
    """
    vocabulary = vocabulary_of(model)
    _, text, own = open_token_file(path)
    if own != vocabulary:
        raise RunError(
            f"{path} has another vocabulary than the model, {len(own)} tokens of level {own.level} against "
            f"{len(vocabulary)} of {vocabulary.level}: measure the text itself"
        )
    ids = np.asarray(text.tokens[:]).astype(np.int64)
    nats = surprises(model, ids, vocabulary.start, lanes)
    level, count = vocabulary.level, len(vocabulary)
    return Score(ids, nats, text.characters, text.bytes, text.unknown, level, count)


def rows_of(model: Model, text: str, score: Score) -> Iterator[dict[str, object]]:
    """A row for each token of a text.

    Args:
        model: a language model.
        text: the text.
        score: the model's score of the text.

    Yields:
        The token's position from 0, the token, its surprise in bits, its probability, and whether it was read as
        ``<unk>``.
    """
    vocabulary = vocabulary_of(model)
    tokens, unknown = tokens_in(text, score, vocabulary), vocabulary.unknown_number
    for position, (token, number, nats) in enumerate(zip(tokens, score.ids.tolist(), score.nats.tolist(), strict=True)):
        yield {
            "position": position,
            "token": token,
            "bits": nats / math.log(2),
            "probability": math.exp(-nats),
            "is_unknown": number == unknown and token != UNKNOWN,
        }


def tokens_in(text: str, score: Score, vocabulary: Vocabulary) -> Sequence[str]:
    """The tokens of a text as they stand in it; so an unknown word is itself, and not ``<unk>``."""
    if vocabulary.unknown_number is not None:
        return tokens_of(text, vocabulary.level)
    shown = [vocabulary.token_text(number) for number in range(len(vocabulary))]
    return [shown[number] for number in score.ids.tolist()]
