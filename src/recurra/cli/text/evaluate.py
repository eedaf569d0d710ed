"""`recurra text eval`: measure a model on a text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurra.cli.console import note
from recurra.cli.text.shared import Trained, listed


def evaluate(
    run: Trained,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="UTF-8 text to predict.")],
    batch_size: Annotated[
        int, typer.Option(help="Parts of the text read side by side: faster, but each begins without memory.")
    ] = 1,
) -> None:
    """Print the perplexity and the bits per character of a text."""
    from recurra.tasks import checks
    from recurra.tasks.text.job import evaluate_text, load_text
    from recurra.tasks.text.reading import read_text

    checks.whole("--batch-size", batch_size)
    model, vocabulary = load_text(run)
    text = read_text(file, vocabulary.level)
    score = evaluate_text(model, vocabulary, text, batch_size)
    print(f"perplexity          {score.perplexity:.4f}")
    print(f"bits per character  {score.bits_per_char:.4f}")
    print(f"tokens              {score.tokens} ({score.characters} characters)")
    print(f"unknown tokens      {score.unknown.total()}")
    if score.unknown:
        note(f"{listed(score.unknown)} in {file} are not in the vocabulary, and were read as <unk>")
