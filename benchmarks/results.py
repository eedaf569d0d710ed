"""The table of record: times beside other libraries, with a verdict on each figure by requirements.py.

python -m benchmarks.results [the options of `recurra bench`]    in the root of the repository; `make bench` calls it

A full run replaces its processor's section of benchmarks/RESULTS.md; a partial one is printed, or written to the file
that --output names.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from benchmarks.record import with_run
from benchmarks.requirements import Verdict, of_row, of_share, verdicts
from recurra.bench.figures import Share
from recurra.bench.markdown import table
from recurra.bench.report import Report, section
from recurra.bench.rows import PeerRow
from recurra.bench.run import Outcome
from recurra.bench.settings import BenchSettings
from recurra.cli.bench import Only, Output, Peers, Quick, Threads, settings_of, write_page
from recurra.cli.console import error_line
from recurra.errors import RecurraError

RESULTS = Path(__file__).with_name("RESULTS.md")


class JudgedReport(Report):
    """The page with the requirement on each figure, and a list of those that are not met."""

    notes = "\n- A row whose numbers are too far apart counts as not met."
    glance_titles = ("required ratio met",)
    titles = ("required", "met")

    def glance_columns(self, rows: Sequence[PeerRow]) -> tuple[str, ...]:
        judged = [verdict for row in rows if (verdict := of_row(row, ""))]
        return (f"{sum(each.is_met for each in judged)} of {len(judged)}" if judged else "–",)

    def row_columns(self, row: PeerRow) -> tuple[str, ...]:
        return _columns(of_row(row, ""))

    def share_columns(self, share: Share) -> tuple[str, ...]:
        return _columns(of_share(share, ""))

    def closing(self) -> str:
        by_kind = verdicts(self.figures)
        if not by_kind:
            return ""
        rows = [
            (kind, str(sum(each.is_met for each in some)), str(sum(not each.is_met for each in some)))
            for kind, some in by_kind.items()
        ]
        unmet = [_unmet(each) for some in by_kind.values() for each in some if not each.is_met]
        good = sum(int(row[1]) for row in rows)
        text = f"{table(('required', 'met', 'not met'), rows)}\n\n{good} met, {len(unmet)} not met."
        return section("Summary", text + ("\n\nNot met:\n\n" + "\n".join(unmet) if unmet else ""))


def _columns(verdict: Verdict | None) -> tuple[str, str]:
    return (f"{verdict.least:.2f}", "yes" if verdict.is_met else "**no**") if verdict else ("–", "–")


def _unmet(verdict: Verdict) -> str:
    figure = "no figure" if verdict.figure is None else f"{verdict.figure:.2f}"
    return f"- {verdict.what}: {figure}, required {verdict.least:.2f}"


def _recorded(page: str, outcome: Outcome) -> str:
    before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    return with_run(before, outcome.machine.kind, page)


def main(
    quick: Quick = False, only: Only = "", peer: Peers = None, threads: Threads = None, output: Output = None
) -> None:
    """Time recurra beside other libraries, and say what is required of the figures."""
    settings = settings_of(quick, only, peer, threads)
    try:
        if output is None and settings == BenchSettings():
            write_page(settings, RESULTS, JudgedReport, _recorded)
        else:
            write_page(settings, output, JudgedReport)
    except RecurraError as error:
        error_line(str(error))
        raise typer.Exit(2) from None


if __name__ == "__main__":
    typer.run(main)
