"""Language models at work: what makes a model one, and runs over long texts within little memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from recurra.errors import RecurraError
from recurra.packed.packed_program import Array
from recurra.vocabulary import Ids, Vocabulary

if TYPE_CHECKING:
    from recurra.runtime.model import Model
    from recurra.runtime.stream import Stream

_STEPS = 256  # of a chunk; longer ones are not faster
_LOGITS = 2**22  # the most of a chunk, 16 MB in float32: a vocabulary of 33,000 words has shorter chunks


def vocabulary_of(model: Model) -> Vocabulary:
    """The vocabulary of a language model: a model that gives a logit for each token it knows.

    Raises:
        RecurraError: the model is no language model.
    """
    vocabulary = model.vocabulary
    if vocabulary is None:
        raise RecurraError("the model is no language model: its file has no vocabulary")
    if model.is_cell or model.layout.interface.output_size != len(vocabulary):
        raise RecurraError(f"the model is no language model: it gives no logits of its {len(vocabulary)} tokens")
    return vocabulary


def logits_in_chunks(stream: Stream, ids: Ids) -> Iterator[Array]:
    """Feed tokens to a stream of a language model, a few at a time.

    Args:
        stream: the stream; its state goes on.
        ids: (steps, batch) the tokens.

    Yields:
        The logits after each token of a chunk, (steps of the chunk, batch, tokens of the vocabulary).
    """
    tokens = stream.model.layout.interface.output_size or 1
    size = max(1, min(_STEPS, _LOGITS // (tokens * stream.batch)))
    swaps = stream.model.batch_first
    for begin in range(0, len(ids), size):
        chunk = ids[begin : begin + size]
        logits = stream.feed(chunk.T if swaps else chunk)
        yield logits.swapaxes(0, 1) if swaps else logits
