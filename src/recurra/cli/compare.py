"""`recurra compare`: runs side by side, in the terminal and as a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra.cli.console import note

if TYPE_CHECKING:
    from recurra.tasks.report.comparison import RunComparison


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Folders of runs of one task.")],
    html: Annotated[Path | None, typer.Option(metavar="HTML", help="Page to write, with the curves.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare runs: figures, settings that differ, parameters, time and speed."""
    from recurra.tasks.report.comparison import compare_runs
    from recurra.tasks.report.comparison_page import comparison_page

    compared = compare_runs(runs)
    if html is not None:
        comparison_page(compared).write(html)
    if as_json:
        page = None if html is None else str(html)
        print(json.dumps({**compared.content(), "html": page}, ensure_ascii=False, allow_nan=False))
        return
    _print(compared)
    if html is not None:
        print(f"\nThe curves are in {html}")


def _print(compared: RunComparison) -> None:
    from recurra.tasks.series.backtesting import aligned

    rows = [("", *compared.names), *compared.figure_rows()]
    settings = compared.settings_rows()
    lines = aligned([*rows, *settings])
    print("\n".join([*lines[: len(rows)], *([""] if settings else []), *lines[len(rows) :]]))
    if any(each.best_places for each in compared.figures):
        print("\n* the best number of a row")
    for sentence in compared.notes:
        note(sentence)
