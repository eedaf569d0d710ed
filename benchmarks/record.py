"""The page of record: a section for each kind of processor, each as its last full run wrote it."""

from __future__ import annotations

import re

TITLE = "# Benchmark results"
INTRODUCTION = """\
Each section is a whole run of `make bench` on one kind of processor; a run on the same kind replaces its section. Speed
beside other libraries depends on the kind: on its vectors, its caches and what those libraries do there."""
_SECTION = re.compile(r"^## On (.+)\n", re.MULTILINE)


def sections(page: str) -> dict[str, str]:
    """The text of each section, by its kind of processor, in the order of the page."""
    parts = _SECTION.split(page)
    return {kind: text.strip() for kind, text in zip(parts[1::2], parts[2::2], strict=True)}


def with_run(page: str, kind: str, report: str) -> str:
    """The page of record after a run.

    Args:
        page: the page before; empty if there is none.
        kind: the kind of processor that the run was on.
        report: the run's own page, which begins with :data:`TITLE`.
    """
    body = report.removeprefix(TITLE).strip()
    found = {**sections(page), kind: re.sub(r"^(#+ )", r"#\1", body, flags=re.MULTILINE)}
    kinds = "\n".join(f"- {each}: {_date(text)}" for each, text in found.items())
    return (
        "\n\n".join([TITLE, INTRODUCTION, kinds, *(f"## On {each}\n\n{text}" for each, text in found.items())]) + "\n"
    )


def _date(text: str) -> str:
    found = re.search(r"^\| date \| ([^,|]+)", text, re.MULTILINE)
    return found[1].strip() if found else "date unknown"
