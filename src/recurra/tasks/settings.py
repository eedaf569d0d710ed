"""What a user may choose for a training, with the defaults; plain data that goes into config.json."""

from __future__ import annotations

from dataclasses import dataclass, field

from recurra import cells
from recurra.errors import RunError
from recurra.tasks import checks

OPTIMIZERS = ("adam", "sgd")
LEVELS = ("char", "word")

# Adam's steps have the size of the rate; those of gradient descent have it times a gradient of norm `clip` at most.
DEFAULT_RATE = {"adam": 4e-3, "sgd": 5.0}
DEFAULT_MINUTES = 5.0
MOST_LAYERS = 100


@dataclass(frozen=True)
class TrainingSettings:
    """How long and how to train, whatever the job.

    Args:
        optimizer: ``adam`` (Kingma & Ba 2015) or ``sgd``.
        lr: the learning rate at the start, from which it falls along half a cosine to a tenth (after Loshchilov &
            Hutter 2017); by default 0.004 for
            adam and 5 for sgd.
        clip: the largest norm of all gradients together (Pascanu et al. 2013); infinity leaves them as they are.
        epochs: stop after so many passes over the data.
        minutes: stop after so many minutes; the first limit reached counts, and without any it is 5 minutes.
        evaluate_every: updates between two evaluations; by default at least 200, and so many that an evaluation
            costs little beside them.
        patience: stop when so many evaluations in a row were no better than the best; 0 never does.
    """

    optimizer: str = "adam"
    lr: float | None = None
    clip: float = 1.0
    epochs: int | None = None
    minutes: float | None = None
    evaluate_every: int | None = None
    patience: int = 10

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            RunError: the message names the option, and what it may be.
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
        """The time that the training may take, in seconds; None where only the epochs count."""
        if self.minutes is None:
            return DEFAULT_MINUTES * 60 if self.epochs is None else None
        return self.minutes * 60


@dataclass(frozen=True)
class ModelSettings:
    """What a language model is built from, besides its vocabulary.

    Args:
        cell: a name of the zoo, ``recurra.cells.all()``.
        hidden: units per layer, and the width of the embedding.
        layers: recurrent layers, one on top of the other.
        dropout: probability with which an output is zeroed between layers and before the last product.
    """

    cell: str = "lstm"
    hidden: int = 256
    layers: int = 1
    dropout: float = 0.2

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            RunError: the message names the option, and what it may be.
        """
        checks.one_of("--cell", self.cell, tuple(cells.all()))
        checks.whole("--hidden", self.hidden)
        checks.whole("--layers", self.layers, most=MOST_LAYERS)
        checks.probability("--dropout", self.dropout)


@dataclass(frozen=True)
class TextSettings:
    """All that is chosen for a language model and its training.

    Args:
        level: ``char``: a token is a character; ``word``: what stands between white space, or the end of a line.
        min_count: tokens seen less often are read as ``<unk>``; by default 1 for characters and 2 for words.
        seq_len: tokens that a gradient flows back over (truncated backpropagation through time).
        batch_size: parts of the text that are read side by side.
        seed: of the weights, of dropout, of all that is drawn.
    """

    level: str = "char"
    min_count: int | None = None
    seq_len: int = 64
    batch_size: int = 32
    seed: int = 0
    model: ModelSettings = field(default_factory=ModelSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            RunError: the message names the option, and what it may be.
        """
        checks.one_of("--level", self.level, LEVELS)
        checks.whole("--seq-len", self.seq_len)
        checks.whole("--batch-size", self.batch_size)
        checks.whole("--seed", self.seed, least=0, most=checks.LARGEST_SEED)
        if self.min_count is not None:
            checks.whole("--min-count", self.min_count)
        self.model.check()
        self.training.check()

    @property
    def least_count(self) -> int:
        """How often a token must occur to be in the vocabulary."""
        if self.min_count is None:
            return 1 if self.level == "char" else 2
        return self.min_count


def model_settings(value: object) -> ModelSettings:
    """Read the settings of a model back from a configuration.

    Raises:
        RunError: something is missing, unknown or of the wrong type.
    """
    known = set(ModelSettings.__dataclass_fields__)
    if not isinstance(value, dict) or set(value) != known:
        raise RunError(f"'model' must hold {', '.join(sorted(known))}")
    settings = ModelSettings(**value)
    settings.check()
    return settings
