"""`recurra text eval`: measure a model on a text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra.cli.text.shared import (
    LANES_HELP,
    AsJson,
    Encoding,
    TextFile,
    Trained,
    json_text,
    measured,
    print_totals,
    totals,
)
from recurra.tasks.text.encodings import DEFAULT

if TYPE_CHECKING:
    from recurra.runtime import Score


def evaluate(
    run: Trained,
    file: TextFile,
    batch_size: Annotated[int, typer.Option(help=LANES_HELP)] = 1,
    encoding: Encoding = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Print a text's perplexity, its bits per character and byte, and its tokens.

    Of a file that 'text tokenize' made, the text to validate on is measured.
    """
    from recurra.tasks.text.token_file import is_token_file

    score = _of_tokens(run, file, batch_size) if is_token_file(file) else measured(run, file, batch_size, encoding)[2]
    if as_json:
        print(json_text(totals(score)))
    else:
        print_totals(score, file)


def _of_tokens(run: Path, file: Path, lanes: int) -> Score:
    """The score of the text to validate on in a token file."""
    from recurra.tasks import checks
    from recurra.tasks.text.loading import load_model
    from recurra.tasks.text.scores import score_of_tokens

    checks.whole("--batch-size", lanes)
    return score_of_tokens(load_model(run), file, lanes)
