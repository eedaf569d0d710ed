"""The settings of autoregressive forecasters, with their defaults; plain data that is stored in config.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from recurra.tasks import checks
from recurra.tasks.series.settings import MOST_HORIZON
from recurra.tasks.training.settings import TrainingSettings

MOST_LAYERS = 100


@dataclass(frozen=True)
class AutoregressiveSettings:
    """The network of an autoregressive forecaster, which draws sample paths; its likelihood, and its training.

    Args:
        horizon: the steps to forecast by default.
        context: the steps that the network reads before them; by default a number that follows from the data, see
            ``recurra.series.autoregressive.recipe.make_recipe``.
        likelihood: ``normal``, ``student-t``, ``negative-binomial`` or ``poisson``; by default negative binomial for
            small counts, else Student's t.
        cell: the name of a cell of the zoo.
        hidden: the units per layer.
        layers: the recurrent layers.
        dropout: the probability of dropping an output between layers and before the output's linear map.
        batch_size: the windows of an update.
        updates: the updates of an epoch.
        seed: the seed of all random numbers: initial weights, dropout, windows.
        training: the settings of the loop.
    """

    model: ClassVar[str] = "autoregressive"

    horizon: int
    context: int | None = None
    likelihood: str | None = None
    cell: str = "lstm"
    hidden: int = 40
    layers: int = 2
    dropout: float = 0.1
    batch_size: int = 64
    updates: int = 50
    seed: int = 0
    training: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(lr=5e-3, epochs=10, evaluate_every=50, patience=0)
    )

    def check(self) -> None:
        """Refuse settings out of range.

        Raises:
            RunError: a setting is refused; the message names the option and its range.
        """
        from recurra import cells  # the zoo takes a while
        from recurra.series.likelihoods import LIKELIHOODS

        checks.whole("--horizon", self.horizon, most=MOST_HORIZON)
        if self.context is not None:
            checks.whole("--context", self.context)
        if self.likelihood is not None:
            checks.one_of("--likelihood", self.likelihood, tuple(LIKELIHOODS))
        checks.one_of("--cell", self.cell, tuple(cells.all()))
        checks.whole("--hidden", self.hidden)
        checks.whole("--layers", self.layers, most=MOST_LAYERS)
        checks.probability("--dropout", self.dropout)
        checks.whole("--batch-size", self.batch_size)
        checks.whole("--updates", self.updates)
        checks.whole("--seed", self.seed, least=0, most=checks.LARGEST_SEED)
        self.training.check()
