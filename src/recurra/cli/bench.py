"""`recurra bench`: times beside those of other libraries, and beside the machine's limits, as a Markdown page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurra.bench.peers import PEERS
from recurra.bench.settings import Settings
from recurra.errors import RunError
from recurra.files import write_atomically

OUTPUT = Path("benchmarks", "RESULTS.md")


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer cases, fewer rounds: some minutes.")] = False,
    only: Annotated[str, typer.Option(metavar="PATTERN", help="Cases whose name this regular expression finds.")] = "",
    peer: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(PEERS)}; may be repeated.")] = None,
    threads: Annotated[list[int] | None, typer.Option(help="How many; may be repeated. By default 1 and 2.")] = None,
    output: Annotated[
        Path | None, typer.Option(help=f"Where the page goes: {OUTPUT} for a full run, else the terminal.")
    ] = None,
) -> None:
    """Time recurra beside torch.nn and other libraries; a full run takes some twenty minutes."""
    from recurra.bench.report import report
    from recurra.bench.run import run

    settings = Settings(quick, only, tuple(peer or ()), tuple(dict.fromkeys(threads or Settings.threads)))
    settings.check()
    path = OUTPUT if output is None and settings.is_full else output
    if path is not None and not path.absolute().parent.is_dir():
        raise RunError(f"there is no folder {path.absolute().parent} to write {path.name} to; say another --output")
    if path is not None and path.exists() and not path.is_file():
        raise RunError(f"{path} is not a plain file; say another --output")
    page = report(run(settings))
    if path is None:
        print(f"\n{page}", end="")
        return
    try:
        write_atomically(path, page.encode())
    except OSError as error:
        print(f"\n{page}", end="")
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from None
    print(f"The results are in {path}.")
