"""The score of a text, token by token, as rows for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from recurra.runtime import Model, Score
from recurra.runtime.language import vocabulary_of
from recurra.vocabulary import UNKNOWN, Vocabulary, tokens_of


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
