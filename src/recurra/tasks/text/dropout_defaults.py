"""The default of dropout: the more often training will read a text, the more is dropped."""

from __future__ import annotations

import math
from dataclasses import replace

from recurra import cells
from recurra.compiler import trace
from recurra.compiler.state_weights import state_matrices
from recurra.tasks.text.settings import ModelSettings
from recurra.tasks.training.settings import TrainingSettings

# What two cores of a server read in training, in multiplications of a forward pass: a nominal speed, so that the
# defaults are the same on every machine.
MULTIPLICATIONS_PER_SECOND = 3.3e10
# docs/results.md, "How the defaults were found", has the measurements that these follow.
FEWEST_PASSES, MOST_PASSES = 2.0, 100.0  # nothing is dropped up to the one, and no more from the other on
MOST_DROPOUT = 0.6
WEIGHTS_DROPPED = 0.5  # the share of the dropout at which weights between states are dropped


def passes_of(tokens: int, weights: int, training: TrainingSettings) -> float:
    """The number of times that training will read a text, where a time limit holds at a nominal speed.

    Args:
        tokens: of the text.
        weights: those that each token is multiplied by.
        training: the limits of epochs and time.
    """
    limits = [] if training.epochs is None else [float(training.epochs)]
    if training.seconds is not None:
        limits.append(training.seconds * MULTIPLICATIONS_PER_SECOND / (max(1, weights) * max(1, tokens)))
    return min(limits)


def with_dropout(settings: ModelSettings, passes: float) -> ModelSettings:
    """Settings whose dropout and weight drop are numbers: those given, or else what suits so many passes.

    Up to 2 passes nothing is dropped; from there on dropout rises with the logarithm of their number, to 0.6 at 100.
    Half as many weights between states are dropped, unless the dropout was given, or the cell has no such weights.
    """
    share = math.log(max(passes, FEWEST_PASSES) / FEWEST_PASSES) / math.log(MOST_PASSES / FEWEST_PASSES)
    chosen = round(MOST_DROPOUT * min(1.0, share), 2)
    is_dropped = settings.dropout is None and has_state_matrices(settings.cell)
    dropped = round(WEIGHTS_DROPPED * chosen, 2) if is_dropped else 0.0
    return replace(
        settings,
        dropout=chosen if settings.dropout is None else settings.dropout,
        weight_drop=dropped if settings.weight_drop is None else settings.weight_drop,
    )


def has_state_matrices(cell: str) -> bool:
    """Whether a cell of the zoo has matrices that multiply its states."""
    return bool(state_matrices(trace(cells.all()[cell])))
