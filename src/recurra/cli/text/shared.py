"""Arguments, figures and messages that several commands on texts have in common."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra.cli.console import note
from recurra.errors import RunError

if TYPE_CHECKING:
    from recurra.runtime import Model, Score

Trained = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that 'text train' made, or an exported file.")]
TextFile = Annotated[Path, typer.Argument(metavar="FILE", help="Text to predict.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
ENCODING_HELP = "Of the text files; UTF-16 is found by its byte order mark too."
Encoding = Annotated[str, typer.Option(help=ENCODING_HELP)]
LANES_HELP = "Parts of the text read side by side: faster, but each begins without memory."


def measured(run: Path, file: Path, lanes: int, encoding: str) -> tuple[Model, str, Score]:
    """The model of a run or file, the text of a file, and the text's score.

    Raises:
        RunError: the model or the text cannot be used, or ``lanes`` is no positive whole number.
    """
    from recurra.runtime import score
    from recurra.runtime.language import vocabulary_of
    from recurra.tasks import checks
    from recurra.tasks.text.encodings import check_encoding
    from recurra.tasks.text.loading import load_model
    from recurra.tasks.text.reading import read_text
    from recurra.tasks.text.token_file import is_token_file

    checks.whole("--batch-size", lanes)
    if is_token_file(file):
        raise RunError(f"{file} is a token file, which has no text in it: 'recurra text eval' measures it")
    model = load_model(run)
    check_encoding(encoding)
    text = read_text(file, vocabulary_of(model).level, encoding)
    return model, text, score(model, text, lanes=lanes)


def totals(score: Score) -> dict[str, object]:
    """The figures of a whole text, by their names in JSON."""
    return {
        "perplexity": score.perplexity,
        "bits_per_char": score.bits_per_char,
        "bits_per_byte": score.bits_per_byte,
        "nats": score.total,
        "tokens": score.tokens,
        "characters": score.characters,
        "bytes": score.bytes,
        "unknown": score.unknown.total,
        "level": score.level,
        "vocabulary": score.vocabulary,
    }


def print_totals(score: Score, file: Path) -> None:
    """Print the figures of a whole text in lines, and a note about tokens that the model does not know."""
    print(f"perplexity          {score.perplexity:.4f}")
    print(f"bits per character  {score.bits_per_char:.4f}")
    print(f"bits per byte       {score.bits_per_byte:.4f}")
    print(f"tokens              {score.tokens} ({score.characters} characters, {score.bytes} bytes)")
    print(f"unknown tokens      {score.unknown.total}")
    print(f"vocabulary          {score.vocabulary} (level {score.level})")
    if score.unknown:
        tokens = listed(score.unknown.kinds, score.unknown.total)
        note(f"{tokens} in {file} are not in the vocabulary, and were read as <unk>")


def json_text(content: Mapping[str, object]) -> str:
    """An object in one line of ASCII; infinity and NaN, which JSON does not have, become null."""
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in content.items()
    }
    return json.dumps(finite, allow_nan=False)


def listed(unknown: Counter[str], total: int | None = None) -> str:
    """The number of unknown tokens, by default as many as are counted, and the most frequent ones."""
    kinds = ", ".join(f"{token!r}" for token, _ in unknown.most_common(5))
    count = unknown.total() if total is None else total
    return f"{count} tokens ({kinds}{', …' if len(unknown) > 5 else ''})"
