"""``score``: how surprising each token of a text is to a language model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RecurraError
from recurra.packed.packed_program import Array
from recurra.runtime.inputs import array_of
from recurra.runtime.language import logits_in_chunks, vocabulary_of
from recurra.vocabulary import Ids, UnknownTokens, byte_count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.runtime.model import Model


@dataclass(frozen=True, eq=False)
class Score:
    """The cross-entropy of a text under a model's predictions.

    Attributes:
        ids: (tokens,) the numbers of the text's tokens.
        nats: (tokens,) float64, the surprise of each token: minus the natural logarithm of its probability, given all
            tokens before it.
        characters: the number of the text's characters; white space counts, in a text of words too.
        bytes: the number of bytes of the text in UTF-8; a surrogate stands for a byte that is no UTF-8.
        unknown: the number of tokens that the model does not know, and read as ``<unk>``, and the kinds of them.
        level: the level of the model's tokens, such as ``"char"``.
        vocabulary: the number of tokens that the model knows.
    """

    ids: Ids
    nats: NDArray[np.float64]
    characters: int
    bytes: int
    unknown: UnknownTokens
    level: str
    vocabulary: int

    @property
    def tokens(self) -> int:
        """The number of the text's tokens."""
        return len(self.ids)

    @property
    def total(self) -> float:
        """The surprise of the whole text, in nats."""
        return float(self.nats.sum())

    @property
    def bits(self) -> NDArray[np.float64]:
        """The surprise of each token in bits, (tokens,) float64."""
        return self.nats / math.log(2)

    @property
    def perplexity(self) -> float:
        """The exponential of the mean surprise in nats (Jelinek et al. 1977)."""
        mean = self.total / self.tokens
        return math.exp(mean) if mean < 700 else math.inf

    @property
    def bits_per_char(self) -> float:
        """The surprise of the whole text in bits, over its characters.

        So models of different levels can be compared; but an unknown token costs only as much as ``<unk>``.
        """
        return self.total / math.log(2) / self.characters

    @property
    def bits_per_byte(self) -> float:
        """The surprise of the whole text in bits, over its bytes in UTF-8."""
        return self.total / math.log(2) / self.bytes


def score(model: Model, text: str, *, lanes: int = 1) -> Score:
    """Measure how well a language model predicts each token of a text, given all tokens before it.

    The model reads a line end first, as before a prompt. Memory holds two numbers for each token, and the logits of a
    few hundred steps at most.

    Args:
        model: a language model: its file has a vocabulary, and its output is a logit for each token.
        text: the text.
        lanes: the number of parts of the text that are read side by side. More are faster, and predict a little worse:
            each part begins without memory of the part before. Default 1.

    Raises:
        RecurraError: the model is no language model, the text is empty or has half of a character, or there are no such
            lanes.
    """
    vocabulary = vocabulary_of(model)
    if not isinstance(lanes, int) or lanes < 1:
        raise RecurraError(f"lanes must be a positive whole number; got {lanes!r}")
    if not text:
        raise RecurraError("the text is empty")
    unknown = UnknownTokens()
    ids, _ = vocabulary.encode_part(text, last=True, unknown=unknown)
    return Score(
        ids,
        surprises(model, ids, vocabulary.start, lanes),
        characters=len(text),
        bytes=byte_count(text),
        unknown=unknown,
        level=vocabulary.level,
        vocabulary=len(vocabulary),
    )


def surprises(model: Model, ids: Ids, start: int, lanes: int = 1) -> NDArray[np.float64]:
    """The surprise of each token in nats, (tokens,) float64.

    Args:
        model: a language model.
        ids: (tokens,) the tokens' numbers.
        start: the number of the token before the first one.
        lanes: the number of contiguous parts, read side by side; the first token of each is predicted from the token
            before it alone. Default 1.
    """
    ids = array_of("ids", ids).astype(np.int64, copy=False)
    lanes = min(lanes, len(ids))
    length = -(-len(ids) // lanes)
    rows = np.zeros(lanes * length + 1, np.int64)  # the last lane is filled up with zeros
    rows[0], rows[1 : len(ids) + 1] = start, ids
    inputs, targets = (each.reshape(lanes, length).T for each in (rows[:-1], rows[1:]))
    nats, begin = np.empty((lanes, length)), 0
    for logits in logits_in_chunks(model.stream(lanes), inputs):
        end = begin + len(logits)
        nats[:, begin:end] = _nats(logits, targets[begin:end]).T
        begin = end
    return nats.reshape(-1)[: len(ids)]


def _nats(logits: Array, targets: NDArray[Any]) -> Array:
    """The cross-entropy of logits (steps, batch, tokens) against targets (steps, batch); sums are float64."""
    shifted = logits - logits.max(-1, keepdims=True)
    picked = np.take_along_axis(shifted, targets[..., None], -1)[..., 0].astype(np.float64)
    total = np.exp(shifted, out=shifted).sum(-1, dtype=np.float64)
    result: Array = np.log(total) - picked
    return result
