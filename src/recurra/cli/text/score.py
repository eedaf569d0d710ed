"""`recurra text score`: how surprising each token of a text is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra.cli.text.shared import AsJson, TextFile, Trained, measured, print_totals, to_json, totals
from recurra.errors import RunError
from recurra.files import write_atomically

if TYPE_CHECKING:
    from recurra.runtime import Score
    from recurra.vocabulary import Vocabulary


def score(
    run: Trained,
    file: TextFile,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the lines there, and print the figures of 'text eval'.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a JSON object a line for each token: position, token, bits, probability, is_unknown."""
    model, text, scored = measured(run, file, lanes=1)
    assert model.vocabulary is not None
    rows = _rows(scored, text, model.vocabulary)
    if out is not None:
        _write(out, rows)
        if as_json:
            print(to_json(totals(scored)))
        else:
            print_totals(scored, file)
    elif as_json:
        print(to_json({**totals(scored), "scores": list(rows)}))
    else:
        for row in rows:
            print(to_json(row))


def _rows(scored: Score, text: str, vocabulary: Vocabulary) -> Iterator[dict[str, object]]:
    """A row for each token of a text."""
    from recurra.vocabulary import tokens_of

    tokens = tokens_of(text, vocabulary.level)
    unknown = scored.unknown
    for position, (token, nats) in enumerate(zip(tokens, scored.nats.tolist(), strict=True)):
        yield {
            "position": position,
            "token": token,
            "bits": nats / math.log(2),
            "probability": math.exp(-nats),
            "is_unknown": token in unknown,
        }


def _write(path: Path, rows: Iterator[dict[str, object]]) -> None:
    try:
        write_atomically(path, (f"{to_json(row)}\n".encode() for row in rows))
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from None
