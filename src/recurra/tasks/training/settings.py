"""The settings of every training, with their defaults; plain data that is stored in config.json."""

from __future__ import annotations

import math
from dataclasses import dataclass

from recurra.tasks import checks

OPTIMIZERS = ("adamw", "adam", "adagrad", "sgd", "asgd")
SCHEDULES = ("cosine", "wsd", "plateau", "constant")
PRECISIONS = ("auto", "float32", "bfloat16")

# Adam's steps are about as large as the rate; Adagrad's begin so, and shrink; SGD's are the rate times a gradient,
# whose norm is at most `clip`.
DEFAULT_RATE = {"adamw": 8e-3, "adam": 8e-3, "adagrad": 0.1, "sgd": 5.0, "asgd": 5.0}
DEFAULT_MINUTES = 5.0


@dataclass(frozen=True)
class TrainingSettings:
    """The budget, the optimizer and the schedule of a training, for any job.

    Args:
        optimizer: ``adamw`` (Loshchilov & Hutter 2019) or ``adam`` (Kingma & Ba 2015), both with betas 0.9 and 0.98;
            ``adagrad`` (Duchi et al. 2011, figure 1, diagonal): the more an element has been updated, the smaller its
            steps, so that rare words have large ones; ``sgd``; or ``asgd``: SGD that averages its weights once
            validation stops improving (NT-ASGD, Merity et al. 2018, algorithm 1).
        lr: the learning rate at the start, after the warm-up. By default 0.008 for adam and adamw, 0.1 for adagrad, 5
            for sgd and asgd.
        weight_decay: the decay of weights per unit of learning rate (adamw), or the factor of an L2 penalty (others).
        schedule: ``cosine``: the rate falls along half a cosine (Loshchilov & Hutter 2017); ``wsd``: it stays for four
            fifths of the budget, and falls to zero in the last as one minus a square root (warm-up, stable, decay: Hu
            et al. 2024; Hägele et al. 2024); ``plateau``: it is divided by 4 at each evaluation that is no improvement;
            ``constant``.
        warmup: the number of updates over which the rate rises linearly from zero.
        clip: the largest norm of all gradients together (Pascanu et al. 2013); infinity does not clip.
        clip_value: the largest absolute value of a gradient's element, clipped before the norm; infinity does not clip.
        accumulate: the number of windows whose gradients are averaged for one update.
        precision: ``float32``, ``bfloat16`` (autocast, where the job offers it), or ``auto``.
        epochs: the number of passes over the data after which training stops.
        minutes: the time after which training stops; the first limit reached counts, and without any it is 5 minutes.
        evaluate_every: the number of updates between two evaluations; by default at least 200, and so many that
            evaluations take little of the time.
        patience: the number of evaluations in a row without a better one after which training stops; 0 for never.
        checkpoint_minutes: the time between two checkpoints.
    """

    optimizer: str = "adamw"
    lr: float | None = None
    weight_decay: float = 0.0
    schedule: str = "cosine"
    warmup: int = 0
    clip: float = 1.0
    clip_value: float = math.inf
    accumulate: int = 1
    precision: str = "auto"
    epochs: int | None = None
    minutes: float | None = None
    evaluate_every: int | None = None
    patience: int = 10
    checkpoint_minutes: float = 5.0

    def check(self) -> None:
        """Refuse settings out of range.

        Raises:
            RunError: a setting is refused; the message names the option and its range.
        """
        checks.one_of("--optimizer", self.optimizer, OPTIMIZERS)
        checks.one_of("--schedule", self.schedule, SCHEDULES)
        checks.one_of("--precision", self.precision, PRECISIONS)
        checks.not_negative("--weight-decay", self.weight_decay)
        checks.whole("--warmup", self.warmup, least=0)
        checks.positive("--clip", self.clip, infinite=True)
        checks.positive("--clip-value", self.clip_value, infinite=True)
        checks.whole("--accumulate", self.accumulate)
        checks.whole("--patience", self.patience, least=0)
        checks.positive("--checkpoint-minutes", self.checkpoint_minutes)
        if self.lr is not None:
            checks.positive("--lr", self.lr)
        if self.epochs is not None:
            checks.whole("--epochs", self.epochs)
        if self.minutes is not None:
            checks.positive("--minutes", self.minutes)
        if self.evaluate_every is not None:
            checks.whole("--eval-every", self.evaluate_every)

    @property
    def rate(self) -> float:
        """The learning rate at the start."""
        return DEFAULT_RATE[self.optimizer] if self.lr is None else self.lr

    @property
    def seconds(self) -> float | None:
        """The time limit in seconds; None where only the epochs count."""
        if self.minutes is None:
            return DEFAULT_MINUTES * 60 if self.epochs is None else None
        return self.minutes * 60
