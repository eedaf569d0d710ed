"""`recurra text eval`: measure a model on a text."""

from __future__ import annotations

from typing import Annotated

import typer

from recurra.cli.text.shared import LANES_HELP, AsJson, TextFile, Trained, json_text, measured, print_totals, totals


def evaluate(
    run: Trained,
    file: TextFile,
    batch_size: Annotated[int, typer.Option(help=LANES_HELP)] = 1,
    as_json: AsJson = False,
) -> None:
    """Print a text's perplexity, its bits per character and byte, and its tokens."""
    _, _, score = measured(run, file, batch_size)
    if as_json:
        print(json_text(totals(score)))
    else:
        print_totals(score, file)
