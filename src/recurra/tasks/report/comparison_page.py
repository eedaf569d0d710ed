"""A comparison of runs as a page: figures, settings that differ, curves over each other."""

from __future__ import annotations

from recurra.page.document import Document, PagePart
from recurra.page.parts import DataTable, Section, Text
from recurra.tasks.report.comparison import RunComparison
from recurra.tasks.report.curves import overlaid
from recurra.tasks.report.facts import SHORT, command_of


def comparison_page(compared: RunComparison) -> Document:
    """The page of a comparison."""
    names = compared.names
    figures: list[PagePart] = [DataTable("A star marks the best number of a row", ("", *names), compared.figure_rows())]
    rows = compared.settings_rows()
    settings: PagePart = DataTable("", ("setting", *names), rows) if rows else Text(["All settings are the same."])
    curves = overlaid(compared.records, names)
    sections = [
        Section("Figures", figures),
        Section("What differs", [settings]),
        Section("How they learned", curves or [Text(["No run has an evaluation."])]),
        Section("Where they are", [DataTable("", ("run", "folder", "data", "command"), _places(compared))]),
    ]
    kind = "language models" if compared.task == "text" else "forecasters"
    return Document(f"{len(names)} {kind} compared", sections, compared.notes)


def _places(compared: RunComparison) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for record, name in zip(compared.records, compared.names, strict=True):
        data = ", ".join(f"{path} ({checksum[:SHORT]}…)" for _, path, checksum in record.sources) or "no file"
        rows.append((name, str(record.run.folder), data, command_of(record) or "–"))
    return rows
