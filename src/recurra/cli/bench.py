"""`recurra bench`: times beside those of other libraries, and beside the machine's limits, as a Markdown page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra.bench.peers import PEERS
from recurra.bench.settings import BenchSettings
from recurra.errors import RunError
from recurra.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable

    from recurra.bench.report import Report
    from recurra.bench.run import Outcome

Quick = Annotated[bool, typer.Option("--quick", help="Fewer cases, fewer rounds: some minutes.")]
Only = Annotated[str, typer.Option(metavar="PATTERN", help="Cases whose name this regular expression finds.")]
Peers = Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(PEERS)}; may be repeated.")]
Threads = Annotated[list[int] | None, typer.Option(help="How many; may be repeated. By default 1 and 2.")]
Output = Annotated[Path | None, typer.Option(help="The file that the page goes to; by default it is printed.")]


def bench(
    quick: Quick = False, only: Only = "", peer: Peers = None, threads: Threads = None, output: Output = None
) -> None:
    """Time recurra beside torch.nn and other libraries; a full run takes some twenty minutes."""
    from recurra.bench.report import Report

    write_page(settings_of(quick, only, peer, threads), output, Report)


def settings_of(quick: bool, only: str, peer: list[str] | None, threads: list[int] | None) -> BenchSettings:
    """The settings that the options ask for."""
    return BenchSettings(quick, only, tuple(peer or ()), tuple(dict.fromkeys(threads or BenchSettings.threads)))


def write_page(
    settings: BenchSettings,
    path: Path | None,
    report: type[Report],
    into: Callable[[str, Outcome], str] = lambda page, outcome: page,
) -> None:
    """Measure, and write the page to a file, or print it if no file is named.

    Args:
        settings: what to measure.
        path: the file; None prints.
        report: makes the page of the run.
        into: makes the text that is written out of the page, as it is by default.

    Raises:
        RecurraError: the settings make no sense, or the file cannot be written.
    """
    from recurra.bench.run import run

    settings.check()
    if path is not None and not path.absolute().parent.is_dir():
        raise RunError(f"there is no folder {path.absolute().parent} to write {path.name} to; say another --output")
    if path is not None and path.exists() and not path.is_file():
        raise RunError(f"{path} is not a plain file; say another --output")
    outcome = run(settings)
    page = into(report(outcome).page(), outcome)
    if path is None:
        print(f"\n{page}", end="")
        return
    try:
        write_atomically(path, page.encode())
    except OSError as error:
        print(f"\n{page}", end="")
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from None
    print(f"The results are in {path}.")
