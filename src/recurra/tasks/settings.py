"""The settings of every training, with their defaults; plain data that is stored in config.json."""

from __future__ import annotations

from dataclasses import dataclass

from recurra.tasks import checks

OPTIMIZERS = ("adam", "sgd")

# Adam's steps are about as large as the rate; SGD's are the rate times a gradient, whose norm is at most `clip`.
DEFAULT_RATE = {"adam": 4e-3, "sgd": 5.0}
DEFAULT_MINUTES = 5.0


@dataclass(frozen=True)
class TrainingSettings:
    """The budget, the optimizer and the schedule of a training, for any job.

    Args:
        optimizer: ``adam`` (Kingma & Ba 2015) or ``sgd``.
        lr: the learning rate at the start; it falls along half a cosine to a tenth (after Loshchilov & Hutter 2017).
            By default 0.004 for adam and 5 for sgd.
        clip: the largest norm of all gradients together (Pascanu et al. 2013); infinity does not clip.
        epochs: the number of passes over the data after which training stops.
        minutes: the time after which training stops; the first limit reached counts, and without any it is 5 minutes.
        evaluate_every: the number of updates between two evaluations; by default at least 200, and so many that
            evaluations take little of the time.
        patience: the number of evaluations in a row without a better one after which training stops; 0 for never.
    """

    optimizer: str = "adam"
    lr: float | None = None
    clip: float = 1.0
    epochs: int | None = None
    minutes: float | None = None
    evaluate_every: int | None = None
    patience: int = 10

    def check(self) -> None:
        """Refuse settings out of range.

        Raises:
            RunError: a setting is refused; the message names the option and its range.
        """
        checks.one_of("--optimizer", self.optimizer, OPTIMIZERS)
        checks.positive("--clip", self.clip, infinite=True)
        checks.whole("--patience", self.patience, least=0)
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
