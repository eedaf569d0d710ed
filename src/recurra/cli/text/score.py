"""`recurra text score`: how surprising each token of a text is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from recurra.cli.text.shared import AsJson, Encoding, TextFile, Trained, json_text, measured, print_totals, totals
from recurra.errors import RunError
from recurra.files import write_atomically
from recurra.tasks.text.encodings import DEFAULT


def score(
    run: Trained,
    file: TextFile,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the lines there, and print the figures of 'text eval'.")
    ] = None,
    encoding: Encoding = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Print a JSON object a line for each token: position, token, bits, probability, is_unknown."""
    model, text, scored = measured(run, file, 1, encoding)
    from recurra.tasks.text.scores import rows_of

    rows = rows_of(model, text, scored)
    if out is not None:
        _write(out, rows)
        if as_json:
            print(json_text(totals(scored)))
        else:
            print_totals(scored, file)
    elif as_json:
        print(json_text({**totals(scored), "scores": list(rows)}))
    else:
        for row in rows:
            print(json_text(row))


def _write(path: Path, rows: Iterator[dict[str, object]]) -> None:
    try:
        write_atomically(path, (f"{json_text(row)}\n".encode() for row in rows))
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from None
