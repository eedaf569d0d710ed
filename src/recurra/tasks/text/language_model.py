"""``LanguageModel``: language models from Python, with the loop and the files of the command line."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.errors import RunError
from recurra.runtime import Model, sample, score
from recurra.tasks.run import open_run, refuse_existing
from recurra.tasks.text.configuration import read_config, sources_of
from recurra.tasks.text.loading import TASK, load_model
from recurra.tasks.text.reading import read_text, split_text
from recurra.tasks.text.settings import ModelSettings, TextSettings
from recurra.tasks.training.settings import TrainingSettings

if TYPE_CHECKING:
    from torch import nn

    from recurra.runtime import Score
    from recurra.tasks.text.corpus import Corpus
    from recurra.tasks.training.events import Callback, TrainingOutcome
    from recurra.vocabulary import Vocabulary


Texts = str | Path | Sequence[Path]
_Text, _Model, _Loop = TextSettings, ModelSettings, TrainingSettings


class LanguageModel:
    """A language model that is trained on texts, measures texts and writes them.

    The settings are those of ``recurra text train``; nothing is computed before :meth:`fit`.

    Args:
        level: the tokens: ``byte``, ``char``, ``word`` or ``bpe``. Default ``char``.
        min_count: how often a token must occur to be in the vocabulary. Default 1, for words 2.
        vocabulary_size: the largest number of tokens. Default: any, for bpe 1,000.
        seq_len: the number of tokens that gradients flow back over.
        batch_size: the number of parts of the text that are read side by side.
        carry: whether a window's state is carried on to the next one; else windows come in random order.
        seed: the seed of all random numbers. Default 0.
        cell: the name of a cell of the zoo.
        hidden: the number of units per layer.
        layers: the number of recurrent layers.
        embedding: the width of the embedding. Default: `hidden`, below 1,000 tokens at most 64.
        tied: whether the output's weights are the embedding's.
        dropout: the probability of dropping an output between layers and before the output's linear map. Default: the
            more, the more often the text will be read.
        variational: whether these masks are the same at all steps of a window.
        input_dropout: the probability of dropping an output of the embedding. Default 0; with `variational` that of
            `dropout`.
        embedding_dropout: the probability of dropping a token from the embedding, for a window.
        weight_drop: the probability of dropping a weight between states, for a window. Default: half of the default of
            `dropout`; zero where that is given.
        cutoffs: the ranks at which an adaptive softmax begins new clusters. Default: a full softmax.
        sampled: the number of tokens over which training estimates the softmax, drawn for each window; 0 for all.
            Default: 4,000 in a vocabulary of at least 10,000, and all otherwise.

    Raises:
        RunError: a setting is out of range.

    Attributes:
        settings: the settings of tokens and model; None for a model of a file alone, which cannot be trained.
        outcome: the end of the last training: its step, its epoch and the row of its best evaluation; None before.
    """

    def __init__(
        self,
        *,
        level: str = _Text.level,
        min_count: int | None = None,
        vocabulary_size: int | None = None,
        seq_len: int = _Text.seq_len,
        batch_size: int = _Text.batch_size,
        carry: bool = _Text.carry,
        seed: int = _Text.seed,
        cell: str = _Model.cell,
        hidden: int = _Model.hidden,
        layers: int = _Model.layers,
        embedding: int | None = _Model.embedding,
        tied: bool = _Model.tied,
        dropout: float | None = None,
        variational: bool = _Model.variational,
        input_dropout: float | None = None,
        embedding_dropout: float = _Model.embedding_dropout,
        weight_drop: float | None = None,
        cutoffs: Sequence[int] = (),
        sampled: int | None = _Model.sampled,
    ) -> None:
        settings = TextSettings(
            level=level,
            min_count=min_count,
            vocabulary_size=vocabulary_size,
            seq_len=seq_len,
            batch_size=batch_size,
            carry=carry,
            seed=seed,
            model=ModelSettings(
                cell=cell,
                hidden=hidden,
                layers=layers,
                embedding=embedding,
                tied=tied,
                dropout=dropout,
                variational=variational,
                input_dropout=input_dropout,
                embedding_dropout=embedding_dropout,
                weight_drop=weight_drop,
                cutoffs=tuple(cutoffs),
                sampled=sampled,
            ),
        )
        settings.check()
        self.settings: TextSettings | None = settings
        self.outcome: TrainingOutcome | None = None
        self._model: Model | None = None

    def fit(
        self,
        texts: Texts,
        *,
        valid: str | Path | None = None,
        out: str | os.PathLike[str] | None = None,
        callbacks: Sequence[Callback] = (),
        optimizer: str = _Loop.optimizer,
        lr: float | None = None,
        weight_decay: float = _Loop.weight_decay,
        schedule: str = _Loop.schedule,
        warmup: int = _Loop.warmup,
        clip: float = _Loop.clip,
        clip_value: float = math.inf,
        accumulate: int = _Loop.accumulate,
        precision: str = _Loop.precision,
        epochs: int | None = None,
        minutes: float | None = None,
        evaluate_every: int | None = None,
        patience: int = _Loop.patience,
        checkpoint_minutes: float = _Loop.checkpoint_minutes,
    ) -> LanguageModel:
        """Train on texts, and keep the model of the best evaluation.

        Args:
            texts: a text; or the path of a file, or several paths, of texts or of one token file. A ``str`` is the
                text itself.
            valid: the text to validate on, or its path. Default: the last tenth.
            out: the folder of the run, which must not exist; ``LanguageModel.resume`` goes on with it if the texts
                are files. Default: none is kept.
            callbacks: followers of the training, ``recurra.tasks.Callback``.
            epochs, minutes, patience: the end of the training; without epochs and minutes it takes five minutes. See
                ``recurra.tasks.training.settings.TrainingSettings``, as for all that follow.
            optimizer, lr, weight_decay, schedule, warmup, clip, clip_value, accumulate, precision: of the updates.
            evaluate_every, checkpoint_minutes: how often the model is measured, and a checkpoint written.

        Returns:
            This model.

        Raises:
            RunError: a setting or a text is refused, the folder exists, the loss is no longer a number, or the model
                was loaded from a file.
        """
        if self.settings is None:
            raise RunError("this model was loaded from a file, which has no settings to train with: make a new one")
        training = TrainingSettings(
            optimizer=optimizer,
            lr=lr,
            weight_decay=weight_decay,
            schedule=schedule,
            warmup=warmup,
            clip=clip,
            clip_value=clip_value,
            accumulate=accumulate,
            precision=precision,
            epochs=epochs,
            minutes=minutes,
            evaluate_every=evaluate_every,
            patience=patience,
            checkpoint_minutes=checkpoint_minutes,
        )
        settings = replace(self.settings, training=training)
        settings.check()
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run" if out is None else Path(out)
            self._train(texts, valid, run, settings, callbacks, reports=out is not None)
            self._model = load_model(run)
        return self

    def _train(
        self,
        texts: Texts,
        valid: str | Path | None,
        run: Path,
        settings: TextSettings,
        callbacks: Sequence[Callback],
        *,
        reports: bool,
    ) -> None:
        from recurra.tasks.text.job import TextJob, create_text_run, train_text

        refuse_existing(run)
        files = [] if isinstance(texts, str) else [texts] if isinstance(texts, Path) else list(texts)
        is_on_disk = bool(files) and not isinstance(valid, str)
        job = TextJob(_corpus(texts if isinstance(texts, str) else files, valid, settings), settings)
        sources = sources_of(files, valid) if is_on_disk and not isinstance(valid, str) else None
        self.outcome = train_text(job, create_text_run(job, run, sources), callbacks, reports=reports)

    @classmethod
    def resume(cls, run: str | os.PathLike[str], callbacks: Sequence[Callback] = ()) -> LanguageModel:
        """Go on with a run that was interrupted, exactly there; a finished run is loaded.

        Args:
            run: the run folder, of :meth:`fit` or of ``recurra text train``.
            callbacks: followers of the training.

        Raises:
            RunError: the folder is no run of this task, its files are damaged, or its texts are missing or changed.
        """
        from recurra.tasks.text.job import open_text, train_text

        folder = open_run(Path(run), TASK)
        job = open_text(folder)
        outcome = train_text(job, folder, callbacks, resumes=True)
        model = cls._of(load_model(Path(run)), job.settings)
        model.outcome = outcome
        return model

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LanguageModel:
        """Load a trained model from a run folder or a file.

        Args:
            path: the folder; or a file of :meth:`save`, ``recurra.save`` or ``recurra export``.

        Raises:
            RunError: there is no language model, or a file is damaged.
        """
        return cls._of(load_model(Path(path)), _settings_of(Path(path)))

    @classmethod
    def _of(cls, model: Model, settings: TextSettings | None) -> LanguageModel:
        made = cls()
        made.settings, made._model = settings, model
        return made

    @property
    def runtime(self) -> Model:
        """The trained model, as ``recurra.runtime`` runs it.

        Raises:
            RunError: it is not trained yet.
        """
        if self._model is None:
            raise RunError("the model is not trained yet: call fit, or LanguageModel.load")
        return self._model

    @property
    def module(self) -> nn.Module:
        """A new torch module of the trained model, in evaluation mode; a ``recurra.nn.Stack``."""
        from recurra.nn.parts import build

        return build(self.runtime.description)

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens that the trained model knows."""
        vocabulary = self.runtime.vocabulary
        assert vocabulary is not None  # load_model has checked it
        return vocabulary

    def evaluate(self, text: str | Path, lanes: int = 1) -> Score:
        """Measure how well the model predicts a text.

        Args:
            text: the text, or its path.
            lanes: the number of parts that are read side by side; more are faster, and each begins without memory.
                Default 1.

        Returns:
            The score: ``perplexity``, ``bits_per_char``, ``bits_per_byte``, and ``nats`` of each token.

        Raises:
            RunError: the model is not trained yet, or the text is refused.
        """
        given = text if isinstance(text, str) else read_text(text, self.vocabulary.level)
        return score(self.runtime, given, lanes=lanes)

    def sample(
        self,
        prompt: str = "",
        *,
        length: int = 500,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        stop: str | Sequence[str] = (),
        seed: int | None = None,
    ) -> str:
        """Continue a prompt, and return what was added; see ``recurra.runtime.sample``, which gives it piece by piece.

        Raises:
            RunError: the model is not trained yet.
            RecurraError: a setting is out of range, or the prompt has characters that the model does not know.
        """
        pieces = sample(
            self.runtime,
            prompt,
            length=length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            stop=stop,
            seed=seed,
        )
        return "".join(pieces)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the trained model to one file, for :meth:`load` and ``recurra.runtime.load``.

        Raises:
            RunError: the model is not trained yet.
            FileFormatError: the file cannot be written.
        """
        self.runtime.save(path)

    def __repr__(self) -> str:
        if self._model is not None:
            return f"<LanguageModel {self._model!r}>"
        assert self.settings is not None
        model = self.settings.model
        return f"<LanguageModel {self.settings.level}, {model.cell}, {model.layers} × {model.hidden}, not trained yet>"


def _corpus(texts: str | Sequence[Path], valid: str | Path | None, settings: TextSettings) -> Corpus:
    from recurra.tasks.text.corpus import make_corpus, read_corpus
    from recurra.tasks.text.reading import read_texts

    if not isinstance(texts, str) and not isinstance(valid, str):
        return read_corpus(texts, valid, settings)
    text = texts if isinstance(texts, str) else read_texts(texts, settings.level, settings.encoding)
    if not text.strip():
        raise RunError("the text is empty" if not text else "the text holds nothing but white space")
    if valid is None:
        return make_corpus(*split_text(text), settings)
    return make_corpus(
        text, valid if isinstance(valid, str) else read_text(valid, settings.level, settings.encoding), settings
    )


def _settings_of(path: Path) -> TextSettings | None:
    """The settings of a run folder; None for a file."""
    if not path.is_dir():
        return None
    return read_config(open_run(path, TASK).config)[0]
