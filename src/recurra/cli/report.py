"""`recurra report`: write the page of a run again, such as that of an old one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of 'text train' or 'series train'.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write RUN/report.html: curves, samples or forecasts, errors, shapes, settings, versions."""
    from recurra.tasks.report.writing import write_report

    path = write_report(run)
    print(json.dumps({"report": str(path)}, ensure_ascii=False) if as_json else f"The report is in {path}")
