"""The language model: embedding, recurrent layers, dropout, and a linear map to the tokens' logits."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra import cells
from recurra.errors import RunError
from recurra.nn import Recurrent, Stack
from recurra.tasks.text.batching import PADDING, Lanes
from recurra.tasks.text.settings import ModelSettings

# The state of a recurrent layer: a tensor, or a tuple of them where the cell has several states; None for all zeros.
StackState = Tensor | tuple[Tensor, ...] | None


class LanguageModel(Stack):
    """A model of the probability of the next token, given all tokens before it.

    A pass takes token numbers ``(T, B)`` and the state that the previous pass returned, None at the beginning of a
    text. It returns the logits of the token after each, ``(T, B, V)``, and the last state.

    Args:
        vocabulary: the number of tokens, V.
        settings: the cell and the sizes.
    """

    embedding: nn.Embedding
    recurrent: Recurrent
    dropout: nn.Dropout
    output: nn.Linear

    def __init__(self, vocabulary: int, settings: ModelSettings) -> None:
        hidden, layers = settings.hidden, settings.layers
        # This dropout is between layers; a single layer would warn that it has no effect.
        between = settings.dropout if layers > 1 else 0.0
        parts = OrderedDict[str, nn.Module](
            embedding=nn.Embedding(vocabulary, hidden),
            recurrent=Recurrent(cells.all()[settings.cell], hidden, hidden, layers, dropout=between),
            dropout=nn.Dropout(settings.dropout),
            output=nn.Linear(hidden, vocabulary),
        )
        super().__init__(parts)


def build(vocabulary: int, settings: ModelSettings, device: str = "cpu") -> LanguageModel:
    """Make a model with random weights from torch's generator; on the device ``meta`` it has shapes alone.

    Raises:
        RunError: there is not enough memory.
    """
    try:
        with torch.device(device):
            return LanguageModel(vocabulary, settings)
    except (RuntimeError, MemoryError, OverflowError) as error:
        if isinstance(error, RuntimeError) and "alloc" not in str(error) and "overflow" not in str(error):
            raise
        sizes = f"hidden size {settings.hidden}, {settings.layers} layer(s), {vocabulary} tokens"
        raise RunError(f"a model of {sizes} does not fit in memory") from None


def detached(state: StackState) -> StackState:
    """Detach a state from the graph, so that gradients end here."""
    if isinstance(state, tuple):
        return tuple(tensor.detach() for tensor in state)
    return None if state is None else state.detach()


def nats(logits: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
    """The cross-entropy of logits ``(T, B, V)`` against targets ``(T, B)``, in nats; padding is ignored."""
    flat = logits.flatten(0, 1)
    return functional.cross_entropy(flat, targets.flatten(), ignore_index=PADDING, reduction=reduction)


@torch.no_grad()
def total_nats(model: Stack, lanes: Lanes, steps: int) -> float:
    """Sum the cross-entropy over all tokens of the lanes, without dropout; windows pass the state on.

    Each lane starts from the zero state. Afterwards the model is in the same mode, training or not, as before.
    """
    was_training = model.training
    model.eval()
    total, state = 0.0, None
    try:
        for inputs, targets in lanes.windows(steps):
            logits, state = model(inputs, state)
            total += float(nats(logits, targets, "sum"))
    finally:
        model.train(was_training)
    return total


def perplexity(mean_nats: float) -> float:
    """The perplexity: exp of the mean cross-entropy per token in nats (Jelinek et al. 1977)."""
    return math.exp(mean_nats) if mean_nats < 700 else math.inf


def bits_per_char(nats_in_all: float, characters: int) -> float:
    """The bits per character of a text that costs so many nats.

    The characters of a text of words are those of the text itself, with spaces and line ends, so that the levels char
    and word can be compared; but an unknown word costs only as much as ``<unk>``.
    """
    return nats_in_all / math.log(2) / characters
