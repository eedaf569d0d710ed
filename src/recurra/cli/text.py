"""`recurra text`: train a language model on text files, sample from it, and measure it."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra import cells
from recurra.cli.console import Reporter, error_line, note
from recurra.tasks.training.settings import DEFAULT_MINUTES, DEFAULT_RATE, TrainingSettings
from recurra.tasks.text.settings import ModelSettings, TextSettings

if TYPE_CHECKING:
    from collections import Counter

    from recurra.tasks.text.job import TextEvaluation, TextJob

app = typer.Typer(help="Language models of characters or words.", no_args_is_help=True)

Trained = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that 'text train' made, or an exported file.")]
LIMIT = f"{DEFAULT_MINUTES:g}, without --epochs"
RATES = ", ".join(f"{rate:g} for {name}" for name, rate in DEFAULT_RATE.items())


@app.command()
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
        model=ModelSettings(cell, hidden, layers, dropout),
        training=TrainingSettings(optimizer, lr, clip, epochs, minutes, eval_every, patience),
    )
    _train(settings, files, valid, out)


@app.command()
def sample(
    run: Trained,
    prompt: Annotated[str, typer.Option(help="Text to write on; empty: start a line.")] = "",
    temperature: Annotated[float, typer.Option(help="Below 1 bolder in its choice; 0: always the likeliest.")] = 0.8,
    length: Annotated[int, typer.Option(help="Characters or words to write.")] = 500,
    top_k: Annotated[int, typer.Option(help="Choose among so many of the likeliest; 0: all.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Same seed, same text; by default another each time.")] = None,
) -> None:
    """Continue a prompt, printing as it goes."""
    from recurra.tasks.text import sampling
    from recurra.tasks.text.job import load_text

    settings = sampling.SamplingSettings(length, temperature, top_k, seed)
    settings.check()
    model, vocabulary = load_text(run)
    unknown = sampling.check_prompt(vocabulary, prompt)
    if unknown:
        note(f"the model does not know {', '.join(unknown[:5])}, and reads <unk>")
    print(prompt, end="", flush=True)
    try:
        for piece in sampling.sample(model, vocabulary, prompt, settings):
            print(piece, end="", flush=True)
    finally:
        with contextlib.suppress(BrokenPipeError):
            print(flush=True)


@app.command("eval")
def evaluate(
    run: Trained,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="UTF-8 text to predict.")],
    batch_size: Annotated[
        int, typer.Option(help="Parts of the text read side by side: faster, but each begins without memory.")
    ] = 1,
) -> None:
    """Print the perplexity and the bits per character of a text."""
    from recurra.tasks import checks
    from recurra.tasks.text.corpus import read_text
    from recurra.tasks.text.job import evaluate_text, load_text

    checks.whole("--batch-size", batch_size)
    text = read_text(file)
    model, vocabulary = load_text(run)
    score = evaluate_text(model, vocabulary, text, batch_size)
    print(f"perplexity          {score.perplexity:.4f}")
    print(f"bits per character  {score.bits_per_char:.4f}")
    print(f"tokens              {score.tokens} ({score.characters} characters)")
    print(f"unknown tokens      {score.unknown.total()}")
    if score.unknown:
        note(f"{_listed(score.unknown)} in {file} are not in the vocabulary, and were read as <unk>")


def _train(settings: TextSettings, files: list[Path], valid: Path | None, out: Path) -> None:
    settings.check()  # first, as importing torch takes seconds
    from recurra.tasks.run import refuse_existing
    from recurra.tasks.text.job import TextJob, read_corpus

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
    reporter.line(f"{len(corpus.train):,} characters to train on, {len(corpus.valid):,} to validate on")
    reporter.line(f"{settings.model.cell}, {layers} of {settings.model.hidden} units, {weights:,} weights")
    reporter.line(f"a vocabulary of {len(corpus.vocabulary):,} tokens, {job.steps_per_epoch:,} steps per epoch")
    if job.batch_size < settings.batch_size:
        note(f"the text fills only {job.batch_size} windows: --batch-size is {job.batch_size}")
    if corpus.unknown:
        note(f"{_listed(corpus.unknown)} of the validation text are not in the vocabulary, and are read as <unk>")


def _sample_hint(out: Path) -> str:
    return f'recurra text sample {shlex.quote(str(out))} --prompt "…"'


def describe(event: TextEvaluation) -> str:
    """Describe an evaluation in one line; a star marks the best so far."""
    return (
        f"step {event.step:6d}  epoch {event.epoch:3d}  train {event.train_loss:6.3f}  valid {event.valid_loss:6.3f}"
        f"  perplexity {event.perplexity:9.2f}  bits/char {event.bits_per_char:6.3f}"
        f"  {event.items_per_second:7.0f} tokens/s  {event.seconds:5.0f} s{'  *' if event.best else ''}"
    )


def _listed(unknown: Counter[str]) -> str:
    kinds = ", ".join(f"{token!a}" for token, _ in unknown.most_common(5))
    return f"{unknown.total()} tokens ({kinds}{', …' if len(unknown) > 5 else ''})"
