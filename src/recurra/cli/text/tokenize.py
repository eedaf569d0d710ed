"""`recurra text tokenize`: write the tokens of texts to a file that training reads from the disk."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra.cli.console import Reporter, note
from recurra.cli.text.shared import Encoding, listed
from recurra.tasks.text.settings import DEFAULT_VOCABULARY, LEVELS, TextSettings

if TYPE_CHECKING:
    from recurra.tasks.text.tokenizing import Tokenized


def tokenize(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Text; several are read as one.")],
    out: Annotated[Path, typer.Option(metavar="TOKENS", help="File to make; it must not exist.")],
    level: Annotated[str, typer.Option(help=f"Tokens: {', '.join(LEVELS)}.")] = TextSettings.level,
    min_count: Annotated[int | None, typer.Option(help="Rarer tokens are <unk>; by default 1, words 2.")] = None,
    vocabulary_size: Annotated[
        int | None, typer.Option(help=f"Largest number of tokens; by default any, bpe {DEFAULT_VOCABULARY}.")
    ] = None,
    valid: Annotated[Path | None, typer.Option(metavar="FILE", help="To validate on; else the last tenth.")] = None,
    encoding: Encoding = TextSettings.encoding,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write the tokens of texts of any size to a file, which 'text train' takes in their place."""
    settings = TextSettings(level=level, min_count=min_count, vocabulary_size=vocabulary_size, encoding=encoding)
    settings.check()
    from recurra.tasks.text import tokenizing

    if as_json:
        made = tokenizing.tokenize(files, out, settings, valid)
        print(json.dumps({"file": str(out), **_figures(made)}))
        return
    with Reporter() as reporter:
        made = tokenizing.tokenize(files, out, settings, valid, reporter.progress)
    for what, text in (("train on", made.train), ("validate on", made.valid)):
        print(f"{text.tokens:,} tokens to {what} ({text.characters:,} characters, {text.bytes:,} bytes)")
    train = f"recurra text train {shlex.quote(str(out))} --out RUN"
    print(f"The vocabulary has {len(made.vocabulary):,} tokens. To train: {train}")
    unknown = made.valid.unknown
    if unknown:
        note(f"{listed(unknown.kinds, unknown.total)} of the validation text are not in the vocabulary")


def _figures(made: Tokenized) -> dict[str, object]:
    """The figures of a token file, by their names in JSON."""
    figures: dict[str, object] = {"level": made.vocabulary.level, "vocabulary": len(made.vocabulary)}
    for name, text in (("train", made.train), ("valid", made.valid)):
        counts = {each: getattr(text, each) for each in ("tokens", "characters", "bytes")}
        figures[name] = {**counts, "unknown": text.unknown.total}
    return figures
