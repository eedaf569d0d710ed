"""The settings of language models, with their defaults; plain data that is stored in config.json."""

from __future__ import annotations

from dataclasses import dataclass, field

from recurra import cells
from recurra.errors import RunError
from recurra.tasks import checks
from recurra.tasks.settings import TrainingSettings

LEVELS = ("char", "word")
MOST_LAYERS = 100


@dataclass(frozen=True)
class ModelSettings:
    """The cell and the sizes of a language model.

    Args:
        cell: the cell's name in the zoo, ``recurra.cells.all()``.
        hidden: the number of units per layer, and the width of the embedding.
        layers: the number of recurrent layers.
        dropout: the probability of dropping an output between layers and before the last linear map.
    """

    cell: str = "lstm"
    hidden: int = 256
    layers: int = 1
    dropout: float = 0.2

    def check(self) -> None:
        """Refuse settings out of range.

        Raises:
            RunError: a setting is refused; the message names the option and its range.
        """
        checks.one_of("--cell", self.cell, tuple(cells.all()))
        checks.whole("--hidden", self.hidden)
        checks.whole("--layers", self.layers, most=MOST_LAYERS)
        checks.probability("--dropout", self.dropout)


@dataclass(frozen=True)
class TextSettings:
    """The settings of a language model and its training.

    Args:
        level: ``char`` or ``word``: a token is a character, or a word between white space or the end of a line.
        min_count: the number of times that a token must occur not to be read as ``<unk>``; by default 1 for characters
            and 2 for words.
        seq_len: the number of tokens that gradients flow back over (truncated backpropagation through time).
        batch_size: the number of parts of the text that are read side by side.
        seed: the seed of all random numbers: initial weights, dropout.
        model: the settings of the model.
        training: the settings of the training.
    """

    level: str = "char"
    min_count: int | None = None
    seq_len: int = 64
    batch_size: int = 32
    seed: int = 0
    model: ModelSettings = field(default_factory=ModelSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)

    def check(self) -> None:
        """Refuse settings out of range.

        Raises:
            RunError: a setting is refused; the message names the option and its range.
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
        """The number of times that a token must occur to be in the vocabulary."""
        if self.min_count is None:
            return 1 if self.level == "char" else 2
        return self.min_count


def model_settings(value: object) -> ModelSettings:
    """Read the settings of a model from a configuration.

    Raises:
        RunError: a setting is missing, unknown or of the wrong type.
    """
    known = set(ModelSettings.__dataclass_fields__)
    if not isinstance(value, dict) or set(value) != known:
        raise RunError(f"'model' must hold {', '.join(sorted(known))}")
    settings = ModelSettings(**value)
    settings.check()
    return settings
