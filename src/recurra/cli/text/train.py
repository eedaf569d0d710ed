"""`recurra text train`: train a language model into a run folder."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra import cells
from recurra.cli.console import Reporter, error_line, note
from recurra.cli.text.shared import listed
from recurra.tasks.text.settings import ModelSettings, TextSettings
from recurra.tasks.training.settings import DEFAULT_MINUTES, DEFAULT_RATE, TrainingSettings

if TYPE_CHECKING:
    from recurra.tasks.text.job import TextEvaluation, TextJob

LIMIT = f"{DEFAULT_MINUTES:g}, without --epochs"
RATES = ", ".join(f"{rate:g} for {name}" for name, rate in DEFAULT_RATE.items())


def train(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="UTF-8 text; several are read as one.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder to make; it must not exist.")],
    cell: Annotated[str, typer.Option(help=f"One of {', '.join(cells.all())}.")] = ModelSettings.cell,
    level: Annotated[str, typer.Option(help="Tokens: char or word.")] = TextSettings.level,
    hidden: Annotated[int, typer.Option(help="Units per layer.")] = ModelSettings.hidden,
    layers: Annotated[int, typer.Option(help="Recurrent layers.")] = ModelSettings.layers,
    dropout: Annotated[float, typer.Option(help="Between layers and before the output.")] = ModelSettings.dropout,
    seq_len: Annotated[int, typer.Option(help="Tokens that gradients flow back over.")] = TextSettings.seq_len,
    batch_size: Annotated[int, typer.Option(help="Parts of the text read side by side.")] = TextSettings.batch_size,
    optimizer: Annotated[str, typer.Option(help="adam or sgd.")] = TrainingSettings.optimizer,
    lr: Annotated[float | None, typer.Option(help=f"Learning rate at the start; by default {RATES}.")] = None,
    clip: Annotated[float, typer.Option(help="Largest norm of the gradients; inf: any.")] = TrainingSettings.clip,
    epochs: Annotated[int | None, typer.Option(help="Stop after so many passes.")] = None,
    minutes: Annotated[float | None, typer.Option(help=f"Stop after so long; by default {LIMIT}.")] = None,
    valid: Annotated[Path | None, typer.Option(metavar="FILE", help="To validate on; else the last tenth.")] = None,
    min_count: Annotated[int | None, typer.Option(help="Rarer tokens are <unk>; by default 1, words 2.")] = None,
    eval_every: Annotated[int | None, typer.Option(help="Steps between validations; by default 200 or more.")] = None,
    patience: Annotated[
        int, typer.Option(help="Stop after so many without gain; 0: never.")
    ] = TrainingSettings.patience,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = TextSettings.seed,
) -> None:
    """Train a language model; Ctrl-C stops it and keeps the best model so far."""
    settings = TextSettings(
        level=level,
        min_count=min_count,
        seq_len=seq_len,
        batch_size=batch_size,
        seed=seed,
        model=ModelSettings(cell=cell, hidden=hidden, layers=layers, dropout=dropout),
        training=TrainingSettings(
            optimizer=optimizer,
            lr=lr,
            clip=clip,
            epochs=epochs,
            minutes=minutes,
            evaluate_every=eval_every,
            patience=patience,
        ),
    )
    _train(settings, files, valid, out)


def _train(settings: TextSettings, files: list[Path], valid: Path | None, out: Path) -> None:
    settings.check()  # first, as importing torch takes seconds
    from recurra.tasks.run import refuse_existing
    from recurra.tasks.text.corpus import read_corpus
    from recurra.tasks.text.job import TextJob

    refuse_existing(out)
    _follow(TextJob(read_corpus(files, valid, settings), settings), out)


def _follow(job: TextJob, out: Path) -> None:
    from recurra.tasks.text.job import TextEvaluation, train_text

    best: TextEvaluation | None = None
    step = 0
    try:
        with Reporter() as reporter, contextlib.closing(train_text(job, out)) as events:
            for event in events:
                if step == 0:  # only now, as an error about the folder comes before
                    _introduce(job, reporter)
                step = event.step
                if isinstance(event, TextEvaluation):
                    best = event if event.best else best
                    reporter.line(describe(event))
                else:
                    reporter.progress(event.fraction, f"epoch {event.epoch}, step {step}, loss {event.loss:.3f}")
    except KeyboardInterrupt:
        kept = f"the best model so far, of step {best.step}," if best else "the model as it was"
        error_line(f"interrupted after step {step}; {kept} is in {out}: {_sample_hint(out)}")
        raise typer.Exit(130) from None
    if best:
        print(f"Best: step {best.step}, perplexity {best.perplexity:.2f}, {best.bits_per_char:.3f} bits per character")
    print(f"The model is in {out}. To sample from it: {_sample_hint(out)}")


def _introduce(job: TextJob, reporter: Reporter) -> None:
    corpus, settings = job.corpus, job.settings
    weights = sum(weight.numel() for weight in job.model.parameters())
    layers = f"{settings.model.layers} layer{'s' if settings.model.layers > 1 else ''}"
    reporter.line(f"{corpus.train.characters:,} characters to train on, {corpus.valid.characters:,} to validate on")
    reporter.line(f"{settings.model.cell}, {layers} of {settings.model.hidden} units, {weights:,} weights")
    reporter.line(f"a vocabulary of {len(corpus.vocabulary):,} tokens, {job.steps_per_epoch:,} steps per epoch")
    if job.batch_size < settings.batch_size:
        note(f"the text fills only {job.batch_size} windows: --batch-size is {job.batch_size}")
    unknown = corpus.valid.unknown
    if unknown:
        tokens = listed(unknown.kinds, unknown.total)
        note(f"{tokens} of the validation text are not in the vocabulary, and are read as <unk>")


def _sample_hint(out: Path) -> str:
    return f'recurra text sample {shlex.quote(str(out))} --prompt "…"'


def describe(event: TextEvaluation) -> str:
    """Describe an evaluation in one line; a star marks the best so far."""
    return (
        f"step {event.step:6d}  epoch {event.epoch:3d}  train {event.train_loss:6.3f}  valid {event.valid_loss:6.3f}"
        f"  perplexity {event.perplexity:9.2f}  bits/char {event.bits_per_char:6.3f}"
        f"  {event.items_per_second:7.0f} tokens/s  {event.seconds:5.0f} s{'  *' if event.best else ''}"
    )
