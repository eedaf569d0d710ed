"""The language model: embedding, recurrent layers, dropout, and a linear map to the tokens' logits."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn import functional

from recurra import cells
from recurra.errors import RunError
from recurra.nn import AdaptiveSoftmax, EmbeddingDropout, Recurrent, Stack, VariationalDropout
from recurra.nn.linear_nats import Workspace, linear_nats
from recurra.nn.sampled_nats import draw_tokens, sampled_nats
from recurra.nn.stack import run_parts
from recurra.tasks.output_width import output_width
from recurra.tasks.text.batching import PADDING
from recurra.tasks.text.dropout_defaults import has_state_matrices
from recurra.tasks.text.settings import ModelSettings

# The state of the model: that of its one recurrent part, a tensor or a tuple where the cell has several states; a tuple
# of these where there are several parts; None for all zeros.
StackState = Tensor | tuple["StackState", ...] | None

# The bound of first values. A tied embedding's weights give the logits: large ones would begin with confident, wrong
# predictions. Of many tokens most are rare, and stay near their first values. Zaremba et al. 2014, Press & Wolf 2017
# and Merity et al. 2018 begin with 0.1 or less, too.
BOUND = 0.1
MANY_TOKENS = 10_000


class TokenModel(Stack):
    """A model of the probability of the next token, given all tokens before it.

    A pass takes token numbers ``(T, B)`` and the state that the previous pass returned, None at the beginning of a
    text. It returns the logits of the token after each, ``(T, B, V)``, and the last state. With
    `settings.cutoffs` these are log-probabilities.

    Args:
        vocabulary: the number of tokens, V.
        settings: the cell, the sizes and the regularisers.

    Raises:
        RunError: settings contradict each other; the message names the options.
    """

    embedding: nn.Embedding
    recurrent: Recurrent
    dropout: nn.Dropout
    output: nn.Linear | AdaptiveSoftmax

    def __init__(self, vocabulary: int, settings: ModelSettings) -> None:
        width = settings.embedding_width(vocabulary)
        returned = output_width(settings.cell, width, settings.hidden, settings.layers)
        last = width if settings.tied else returned
        projection = {"projection": nn.Linear(returned, last)} if last != returned else {}
        super().__init__(
            OrderedDict[str, nn.Module](
                embedding=_embedding(vocabulary, width, settings),
                **dict(_layers(width, settings)),
                **projection,
                output=_output(last, vocabulary, settings),
            )
        )
        if settings.tied or vocabulary >= MANY_TOKENS:
            nn.init.uniform_(self.embedding.weight, -BOUND, BOUND)
        if isinstance(self.output, nn.Linear) and settings.tied:
            self.output.weight = self.embedding.weight
            nn.init.zeros_(self.output.bias)
        elif isinstance(self.output, nn.Linear) and vocabulary >= MANY_TOKENS:
            nn.init.uniform_(self.output.weight, -BOUND, BOUND)
            nn.init.zeros_(self.output.bias)
        self._workspace = Workspace()
        sampled = settings.sampled or 0
        self._sampled = sampled if sampled < vocabulary else 0

    def nats(
        self, inputs: Tensor, targets: Tensor, state: StackState = None, precision: str = "float32"
    ) -> tuple[Tensor, StackState]:
        """The cross-entropy of a window, summed over its tokens, without an array of all logits.

        In training it is an estimate if the settings say `sampled`.

        Args:
            inputs: token numbers, ``(T, B)``.
            targets: the token after each, ``(T, B)``; padding counts as zero.
            state: the state that the previous pass returned. Default zeros.
            precision: see :func:`recurra.nn.linear_nats.linear_nats`.

        Returns:
            The sum in nats, and the last state.
        """
        *body, _ = self
        hidden, state = run_parts(body, inputs, state)
        rows, targets = hidden.flatten(0, 1), targets.flatten()
        kept = targets != PADDING
        if not kept.all():
            rows, targets = rows[kept], targets[kept]
        output = self.output
        if isinstance(output, AdaptiveSoftmax):
            return output.nats(rows, targets, precision, self._workspace), state
        if self.training and self._sampled:
            sample = draw_tokens(len(output.weight), self._sampled, rows.device)
            return sampled_nats(rows, output.weight, output.bias, targets, sample, precision, self._workspace), state
        return linear_nats(rows, output.weight, output.bias, targets, precision, self._workspace), state


def _embedding(vocabulary: int, width: int, settings: ModelSettings) -> nn.Embedding:
    if settings.embedding_dropout > 0:
        return EmbeddingDropout(vocabulary, width, settings.embedding_dropout)
    return nn.Embedding(vocabulary, width)


def _output(width: int, vocabulary: int, settings: ModelSettings) -> nn.Linear | AdaptiveSoftmax:
    if not settings.cutoffs:
        return nn.Linear(width, vocabulary)
    if settings.tied:
        raise RunError("--tied needs a full softmax: leave out --cutoffs")
    try:
        return AdaptiveSoftmax(width, vocabulary, settings.cutoffs)
    except ValueError as error:
        raise RunError(f"--cutoffs {','.join(map(str, settings.cutoffs))}: {error}") from None


def _layers(width: int, settings: ModelSettings) -> Iterator[tuple[str, nn.Module]]:
    """The recurrent layers and the dropout around them, with their names; dropout that stays comes between parts."""
    layers, dropout = settings.layers, settings.dropout or 0.0
    if not settings.variational:
        # This dropout is between layers; a single layer would warn that it has no effect.
        between = dropout if layers > 1 else 0.0
        if settings.input_dropout:
            yield "input_dropout", nn.Dropout(settings.input_dropout)
        yield "recurrent", _recurrent(width, settings, layers, between)
        yield "dropout", nn.Dropout(dropout)
        return
    yield "input_dropout", VariationalDropout(dropout if settings.input_dropout is None else settings.input_dropout)
    for layer in range(layers):
        recurrent = _recurrent(width, settings)
        width = recurrent.output_size
        yield f"recurrent_{layer}", recurrent
        yield f"dropout_{layer}", VariationalDropout(dropout)


def _recurrent(width: int, settings: ModelSettings, layers: int = 1, dropout: float = 0.0) -> Recurrent:
    cell, hidden = cells.all()[settings.cell], settings.hidden
    if settings.weight_drop and not has_state_matrices(settings.cell):
        raise RunError(f"--weight-drop has no effect on --cell {settings.cell}: no matrix of it multiplies a state")
    return Recurrent(cell, width, hidden, layers, dropout=dropout, weight_drop=settings.weight_drop or 0.0)


def build(vocabulary: int, settings: ModelSettings) -> TokenModel:
    """Make a model with random weights from torch's generator.

    Raises:
        RunError: there is not enough memory, or settings contradict each other.
    """
    try:
        return TokenModel(vocabulary, settings)
    except (RuntimeError, MemoryError, OverflowError) as error:
        if isinstance(error, RuntimeError) and "alloc" not in str(error) and "overflow" not in str(error):
            raise
        sizes = f"hidden size {settings.hidden}, {settings.layers} layer(s), {vocabulary} tokens"
        raise RunError(f"a model of {sizes} does not fit in memory") from None


def weights_of_a_token(vocabulary: int, settings: ModelSettings) -> int:
    """The number of weights that a token is multiplied by in training: all but those of an embedding of its own."""
    # Not on the device `meta`, where random numbers import torch's compiler: it takes longer than to draw them.
    model = build(vocabulary, settings)
    count = sum(weight.numel() for weight in model.parameters())
    if not settings.tied:
        count -= model.embedding.weight.numel()
    return count - weights_left_out(vocabulary, settings)


def weights_left_out(vocabulary: int, settings: ModelSettings) -> int:
    """The number of the output's weights that a token is multiplied by in evaluations alone: training samples it."""
    if not settings.sampled:
        return 0
    width = settings.embedding_width(vocabulary)
    if not settings.tied:
        width = output_width(settings.cell, width, settings.hidden, settings.layers)
    return max(0, vocabulary - settings.sampled) * width


def detached(state: StackState) -> StackState:
    """Detach a state from the graph, so that gradients end here."""
    if isinstance(state, tuple):
        return tuple(detached(each) for each in state)
    return None if state is None else state.detach()


def leaves_of(state: StackState) -> Iterator[Tensor]:
    """Iterate over the tensors of a state, in order."""
    if isinstance(state, tuple):
        for each in state:
            yield from leaves_of(each)
    elif state is not None:
        yield state


def with_leaves(state: StackState, tensors: Iterator[Tensor]) -> StackState:
    """A state of the same form, with other tensors, in the order of :func:`leaves_of`."""
    if isinstance(state, tuple):
        return tuple(with_leaves(each, tensors) for each in state)
    return None if state is None else next(tensors)


def nats(logits: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
    """The cross-entropy of logits ``(T, B, V)`` against targets ``(T, B)``, in nats; padding is ignored."""
    flat = logits.flatten(0, 1)
    return functional.cross_entropy(flat, targets.flatten(), ignore_index=PADDING, reduction=reduction)


def perplexity(mean_nats: float) -> float:
    """The perplexity: exp of the mean cross-entropy per token in nats (Jelinek et al. 1977)."""
    return math.exp(mean_nats) if mean_nats < 700 else math.inf


def bits_per_char(nats_in_all: float, characters: int) -> float:
    """The bits per character of a text that costs so many nats.

    The characters of a text of words are those of the text itself, with spaces and line ends, so that the levels char
    and word can be compared; but an unknown word costs only as much as ``<unk>``.
    """
    return nats_in_all / math.log(2) / characters
