"""The language model: embedding, recurrent layers, dropout, and a product that gives each token's logit."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra import cells
from recurra.errors import RunError
from recurra.nn import Recurrent, Stack
from recurra.tasks.batching import PADDING, Lanes
from recurra.tasks.text_settings import ModelSettings

# What a recurrent layer hands on: a tensor, or a tuple of them where the cell has several states; None is all zeros.
StackState = Tensor | tuple[Tensor, ...] | None


class LanguageModel(Stack):
    """The probability of the next token, given all before it.

    A pass reads token numbers ``(T, B)``, and the state that the last pass returned, None at the beginning of a text.
    It returns logits of the token after each, ``(T, B, V)``, and the state after the last.

    Args:
        vocabulary: how many tokens there are, V.
        settings: the cell, and the sizes.
    """

    embedding: nn.Embedding
    recurrent: Recurrent
    dropout: nn.Dropout
    output: nn.Linear

    def __init__(self, vocabulary: int, settings: ModelSettings) -> None:
        hidden, layers = settings.hidden, settings.layers
        # Between layers only: with one layer there is no between, and the layer would warn.
        between = settings.dropout if layers > 1 else 0.0
        parts = OrderedDict[str, nn.Module](
            embedding=nn.Embedding(vocabulary, hidden),
            recurrent=Recurrent(cells.all()[settings.cell], hidden, hidden, layers, dropout=between),
            dropout=nn.Dropout(settings.dropout),
            output=nn.Linear(hidden, vocabulary),
        )
        super().__init__(parts)


def build(vocabulary: int, settings: ModelSettings, device: str = "cpu") -> LanguageModel:
    """Make a model with fresh weights from torch's random numbers; on the device ``meta``, one of shapes alone.

    Raises:
        RunError: the memory does not suffice.
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
    """Keep a state's values and cut it from the graph: gradients end here."""
    if isinstance(state, tuple):
        return tuple(tensor.detach() for tensor in state)
    return None if state is None else state.detach()


def nats(logits: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
    """Cross-entropy of logits ``(T, B, V)`` against targets ``(T, B)``, in nats; targets of padding are left out."""
    flat = logits.flatten(0, 1)
    return functional.cross_entropy(flat, targets.flatten(), ignore_index=PADDING, reduction=reduction)


@torch.no_grad()
def total_nats(model: Stack, lanes: Lanes, steps: int) -> float:
    """Sum the cross-entropy over all tokens of the lanes, dropout off and the state carried from window to window.

    Each lane starts from the zero state. The model is put back into the mode, training or not, that it was in.
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
    """exp of the mean cross-entropy of a token in nats: the perplexity (Jelinek et al. 1977)."""
    return math.exp(mean_nats) if mean_nats < 700 else math.inf


def bits_per_char(nats_in_all: float, characters: int) -> float:
    """All nats of a text in bits, per character.

    The characters of a text of words are those of the text itself, with its spaces and line ends; so the figure can
    be compared between levels, except that an unknown word costs no more than naming it ``<unk>``.
    """
    return nats_in_all / math.log(2) / characters
