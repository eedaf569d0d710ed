"""`recurra look`: what goes on inside a trained model while it reads a text or a series."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra.cli.console import note
from recurra.errors import RunError
from recurra.tasks.text.encodings import DEFAULT

if TYPE_CHECKING:
    from recurra.tasks.looking.seen import SeenModel

USUAL_PAGE = Path("look.html")


def look(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training, or an exported file.")],
    text: Annotated[str | None, typer.Option(help="A text for a language model to read.")] = None,
    text_file: Annotated[Path | None, typer.Option(metavar="FILE", help="The same from a file.")] = None,
    encoding: Annotated[str, typer.Option(help="Of --text-file; UTF-16 is found by its mark too.")] = DEFAULT,
    series: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="A table for a forecaster; else the one trained on.")
    ] = None,
    series_id: Annotated[str | None, typer.Option("--id", help="The series of the table; else the first.")] = None,
    layer: Annotated[int | None, typer.Option(help="The layer to show, from 0.")] = None,
    unit: Annotated[int | None, typer.Option(help="The unit to show, from 0.")] = None,
    wanted: Annotated[
        str | None, typer.Option("--property", help="Rank units by this alone, such as quotes or weekday.")
    ] = None,
    gates: Annotated[str | None, typer.Option(metavar="F,I…", help="Variables to show, such as f,i,c.")] = None,
    html: Annotated[Path, typer.Option(metavar="FILE", help="The page to write.")] = USUAL_PAGE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look inside a trained model: gates, states and gradients over time, and units that follow a property."""
    given = [
        name
        for name, value in (("--text", text), ("--text-file", text_file), ("--series", series))
        if value is not None
    ]
    if len(given) > 1:
        raise RunError(f"{' and '.join(given)} do not go together: give one of them")
    from recurra.tasks.looking.page import ViewChoice, facts_of, lines_of, page_of

    names = tuple(name.strip() for name in (gates or "").split(",") if name.strip())
    if gates is not None and not names:
        raise RunError("--gates must name variables, such as f,i")
    choice = ViewChoice(layer, unit, names)
    if text is not None or text_file is not None:
        if series_id is not None:
            raise RunError("--id is for --series: a text has none")
        seen = _at_text(run, text, text_file, encoding, wanted)
    else:
        seen = _at_series(run, series, series_id, wanted)
    choice.check(seen)
    page_of(seen, choice).write(html)
    if as_json:
        print(json.dumps({"html": str(html), **facts_of(seen)}, allow_nan=False))
        return
    for each in seen.notes:
        note(each)
    print("\n".join([*lines_of(seen), f"The page: {html}"]))


def _at_text(run: Path, text: str | None, file: Path | None, encoding: str, wanted: str | None) -> SeenModel:
    from recurra.tasks.looking.text import look_at_text

    if file is not None:
        from recurra.tasks.text.encodings import check_encoding
        from recurra.tasks.text.reading import read_text

        check_encoding(encoding)
        text = read_text(file, encoding=encoding)
    return look_at_text(run, text or "", wanted)


def _at_series(run: Path, file: Path | None, series: str | None, wanted: str | None) -> SeenModel:
    """What is seen on a table, or on the one that a run was trained on."""
    from recurra.cli.series.forecast import trained_table
    from recurra.series.reading import read_table
    from recurra.tasks.looking.opening import is_of_texts
    from recurra.tasks.looking.series import look_at_series

    if file is None:
        if is_of_texts(run):
            raise RunError(f'say what {run} shall read: --text "…" or --text-file FILE')
        if not run.is_dir():
            command = f"recurra look {shlex.quote(str(run))} --series TABLE"
            raise RunError(f"{run} does not say which table it was trained on: name one, {command}")
        file = trained_table(run)
    return look_at_series(run, read_table(file), note, series, wanted)
