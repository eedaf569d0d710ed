"""The settings of language models, with their defaults; plain data that is stored in config.json."""

from __future__ import annotations

from dataclasses import dataclass, field

from recurra import cells
from recurra.errors import RunError
from recurra.tasks import checks
from recurra.tasks.stored_settings import read_settings
from recurra.tasks.text.encodings import DEFAULT, check_encoding
from recurra.tasks.training.settings import TrainingSettings

LEVELS = ("byte", "char", "word", "bpe")
MOST_LAYERS = 100
MOST_CUTOFFS = 10
DEFAULT_VOCABULARY = 1000  # tokens of a BPE: minutes of training are too few for more
# A vocabulary of fewer tokens than the first number has by default an embedding of at most the second as its width.
NARROW = (1000, 64), (8000, 128)
# Settings of models that runs of older versions lack, with what these did.
_ADDED = {"sampled": 0, "input_dropout": None}


@dataclass(frozen=True)
class ModelSettings:
    """The cell and the sizes of a language model, and its regularisers.

    Args:
        cell: the cell's name in the zoo, ``recurra.cells.all()``.
        hidden: the number of units per layer.
        layers: the number of recurrent layers.
        embedding: the width of the embedding; by default that of the layers, `hidden`, and at most 64 where there are
            fewer than 1,000 tokens, 128 below 8,000, as a wide one only makes the first layer slower there.
        tied: whether the output's weights are the embedding's (Press & Wolf 2017; Inan et al. 2017). Where `embedding`
            is not `hidden`, a linear map from one to the other comes before the output.
        dropout: the probability of dropping an output between layers and before the output's linear map. None stands
            for what suits the text and the limits of the training (``dropout_defaults``), and a model that is made
            without these drops nothing.
        variational: whether these masks, and one on the embedding's output, are the same at every step of a window
            (Gal & Ghahramani 2016).
        input_dropout: the probability of dropping an output of the embedding (Zaremba et al. 2014; Merity et al. 2018,
            section 4.3). None stands for zero, and with `variational` for `dropout`.
        embedding_dropout: the probability of dropping a token's whole row of the embedding for a window (Gal &
            Ghahramani 2016; Merity et al. 2018, section 4.3).
        weight_drop: the probability of dropping a weight between states for a window (Wan et al. 2013; Merity et al.
            2018, section 2). None as for `dropout`; where that is given, it stands for zero.
        cutoffs: the ranks at which an adaptive softmax begins new clusters (Grave et al. 2017), ascending; empty for a
            full softmax.
        sampled: the number of tokens, drawn anew for each window, over which training estimates the softmax (Jean et
            al. 2015); 0 for all tokens. None stands for 4,000 in a vocabulary of at least 10,000
            (``sample_default``), and for 0 in a model that is made without a text. Evaluations, samples and files are
            as without it.
    """

    cell: str = "lstm"
    hidden: int = 384
    layers: int = 1
    embedding: int | None = None
    tied: bool = False
    dropout: float | None = None
    variational: bool = False
    input_dropout: float | None = None
    embedding_dropout: float = 0.0
    weight_drop: float | None = None
    cutoffs: tuple[int, ...] = ()
    sampled: int | None = None

    def embedding_width(self, vocabulary: int) -> int:
        """The width of the embedding of so many tokens."""
        if self.embedding is not None:
            return self.embedding
        widths = (width for tokens, width in NARROW if vocabulary < tokens and not self.tied)
        return min(self.hidden, next(widths, self.hidden))

    def check(self) -> None:
        """Refuse settings out of range.

        Raises:
            RunError: a setting is refused; the message names the option and its range.
        """
        checks.one_of("--cell", self.cell, tuple(cells.all()))
        checks.whole("--hidden", self.hidden)
        checks.whole("--layers", self.layers, most=MOST_LAYERS)
        if self.embedding is not None:
            checks.whole("--embedding", self.embedding)
        checks.probability("--embedding-dropout", self.embedding_dropout)
        optional = {"dropout": self.dropout, "input-dropout": self.input_dropout, "weight-drop": self.weight_drop}
        for option, value in optional.items():
            if value is not None:
                checks.probability(f"--{option}", value)
        if self.sampled is not None:
            checks.whole("--sampled", self.sampled, least=0)
        if self.sampled and self.cutoffs:
            raise RunError("--sampled estimates a full softmax: leave out --cutoffs")


@dataclass(frozen=True)
class TextSettings:
    """The settings of a language model and its training.

    Args:
        level: ``byte``; ``char``; ``word``: a word between white space, or the end of a line; or ``bpe``: pairs of
            bytes that are joined (Sennrich et al. 2016).
        min_count: the number of times that a token must occur not to be read as ``<unk>``; by default 1 for characters
            and 2 for words. For ``bpe``, the number of times that a pair must occur to be joined, by default 2.
        vocabulary_size: the number of tokens; for ``bpe`` 1000 by default, for characters and words the largest number,
            by default any.
        encoding: the encoding of the text files, by Python's name; UTF-16 is found by its byte order mark too.
        seq_len: the number of tokens that gradients flow back over (truncated backpropagation through time).
        batch_size: the number of parts of the text that are read side by side.
        carry: whether a window goes on with the state of the window before it. Otherwise windows are independent: each
            begins without memory, and they are read in an order that is drawn anew for each epoch.
        seed: the seed of all random numbers: initial weights, dropout.
        model: the settings of the model.
        training: the settings of the training.
    """

    level: str = "char"
    min_count: int | None = None
    vocabulary_size: int | None = None
    encoding: str = DEFAULT
    seq_len: int = 64
    batch_size: int = 32
    carry: bool = True
    seed: int = 0
    model: ModelSettings = field(default_factory=ModelSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)

    def check(self) -> None:
        """Refuse settings out of range.

        Raises:
            RunError: a setting is refused; the message names the option and its range.
        """
        checks.one_of("--level", self.level, LEVELS)
        check_encoding(self.encoding)
        if self.level == "byte" and self.encoding != DEFAULT:
            raise RunError("--level byte reads files as they are: leave out --encoding")
        checks.whole("--seq-len", self.seq_len)
        checks.whole("--batch-size", self.batch_size)
        checks.whole("--seed", self.seed, least=0, most=checks.LARGEST_SEED)
        if self.min_count is not None:
            checks.whole("--min-count", self.min_count)
        if self.vocabulary_size is not None:
            checks.whole("--vocabulary-size", self.vocabulary_size, least=257 if self.level == "bpe" else 2)
        if self.level == "byte" and (self.min_count not in (None, 1) or self.vocabulary_size is not None):
            raise RunError("--level byte has 256 tokens: leave out --min-count and --vocabulary-size")
        self.model.check()
        self.training.check()

    @property
    def least_count(self) -> int:
        """The number of times that a token must occur to be in the vocabulary."""
        if self.min_count is None:
            return 1 if self.level in ("byte", "char") else 2
        return self.min_count

    @property
    def most_tokens(self) -> int | None:
        """The largest number of tokens of the vocabulary; None for any."""
        return DEFAULT_VOCABULARY if self.vocabulary_size is None and self.level == "bpe" else self.vocabulary_size


def model_settings(value: object) -> ModelSettings:
    """Read the settings of a model from a configuration.

    Raises:
        RunError: a setting is missing, unknown, of the wrong type or out of range.
    """
    settings = read_settings("model", ModelSettings, value, added=_ADDED)
    settings.check()
    return settings
