"""The settings of a forecaster, with their defaults; plain data that is stored in config.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from recurra.tasks import checks
from recurra.tasks.training.settings import TrainingSettings

RATE = 4e-3
MOST_HORIZON = 10_000


@dataclass(frozen=True)
class SeriesSettings:
    """The networks of a direct forecaster, which gives the quantiles of all steps at once, and their training.

    Args:
        horizon: the steps to forecast.
        context: the steps that the encoder reads; by default two of the shortest seasons, at least the horizon.
        cell: the name of a cell of the zoo.
        hidden: the units of the encoder and of the decoder.
        members: the networks; each leaves out a block of time.
        dropout: the probability of dropping an output of the decoder's layer.
        noise: the standard deviation of what is added to the inputs in training, in scales of a window.
        batch_size: the windows of an update.
        steps: the updates; by default a number that follows from the data.
        seed: the seed of all random numbers.
        training: the settings of the loop.
    """

    model: ClassVar[str] = "direct"

    horizon: int
    context: int | None = None
    cell: str = "gru"
    hidden: int = 64
    members: int = 5
    dropout: float = 0.0
    noise: float = 0.1
    batch_size: int = 64
    steps: int | None = None
    seed: int = 0
    training: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(lr=RATE, weight_decay=0.01, warmup=20, epochs=1, patience=0)
    )

    def check(self) -> None:
        """Refuse settings out of range.

        Raises:
            RunError: a setting is refused; the message names the option and its range.
        """
        from recurra import cells  # the zoo takes a while

        checks.whole("--horizon", self.horizon, most=MOST_HORIZON)
        for option, value in (("--context", self.context), ("--steps", self.steps)):
            if value is not None:
                checks.whole(option, value)
        checks.one_of("--cell", self.cell, tuple(cells.all()))
        checks.whole("--hidden", self.hidden)
        checks.whole("--members", self.members)
        checks.probability("--dropout", self.dropout)
        checks.not_negative("--noise", self.noise)
        checks.whole("--batch-size", self.batch_size)
        checks.whole("--seed", self.seed, least=0)
        self.training.check()
