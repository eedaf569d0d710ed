"""Tables of what a run was made of: settings, data, versions, command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from recurra.page.document import PagePart
from recurra.page.parts import CodeBlock, DataTable, Details, Section, Text
from recurra.tasks.report.record import RunRecord

SHORT = 12  # digits of a checksum that are shown


def made_section(record: RunRecord) -> Section:
    """How the run was made: command, versions, machine, seed, time, data, and all settings folded in."""
    parts: list[PagePart] = []
    command = command_of(record)
    if command is not None:
        parts.append(CodeBlock(command))
    elif record.made:
        parts.append(Text(["Made from Python, not from the command line."]))
    rows = [*_made_rows(record), *_data_rows(record)]
    parts.append(DataTable("", ("", ""), rows))
    settings = [(name, shown(value)) for name, value in record.settings.items()]
    parts.append(Details(f"All {len(settings)} settings", [DataTable("", ("setting", "value"), settings)]))
    return Section("How it was made", parts)


def command_of(record: RunRecord) -> str | None:
    """The command that made a run, as a shell reads it; None if it is not known."""
    command = record.made.get("command")
    if not isinstance(command, list) or not command:
        return None
    return shlex.join(map(str, command))


def _made_rows(record: RunRecord) -> list[tuple[str, str]]:
    made, versions = record.made, record.made.get("versions")
    rows = [("recurra", str(record.config.get("version")))]
    if isinstance(versions, Mapping):
        rows += [(str(name), str(version)) for name, version in versions.items()]
    for name, key in (("machine", "machine"), ("threads", "threads"), ("processes", "processes")):
        if key in made:
            rows.append((name, str(made[key])))
    rows.append(("seed", shown(record.settings.get("seed"))))
    if record.seconds is not None:
        rows.append(("time up to the last evaluation", duration(record.seconds)))
    return rows


def _data_rows(record: RunRecord) -> list[tuple[str, str]]:
    if not record.sources:
        return [("data", "given from Python, in no file")]
    return [(role, f"{path} (SHA-256 {checksum[:SHORT]}…)") for role, path, checksum in record.sources]


def shown(value: object) -> str:
    """A setting as text: nothing for null, several values with commas."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return f"{value:g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """A time in seconds, minutes or hours."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
