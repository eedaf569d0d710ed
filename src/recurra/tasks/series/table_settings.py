"""``TableSettings``: what the user says about a table; what is not said is found out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from recurra.errors import RunError
from recurra.series.columns import NamedColumns
from recurra.tasks import checks

ON_GAP = ("fill", "error")


@dataclass(frozen=True)
class TableSettings:
    """What is said about a table of time series.

    Args:
        columns: the columns that are named.
        frequency: the name of the frequency, such as ``MS``; None to find it.
        time_format: the pattern of times that are texts, such as ``%d/%m/%Y``; None to find it.
        zone: the time zone of times without one, such as ``Europe/Berlin``; None for the table's own.
        on_gap: ``fill`` leaves missing rows and values missing, ``error`` refuses them.
    """

    columns: NamedColumns = field(default_factory=NamedColumns)
    frequency: str | None = None
    time_format: str | None = None
    zone: str | None = None
    on_gap: str = "fill"

    def check(self) -> None:
        """Refuse settings out of range.

        Raises:
            RunError: a setting is refused; the message names the option.
        """
        checks.one_of("--on-gap", self.on_gap, ON_GAP)

    def to_content(self) -> dict[str, object]:
        """The settings as :func:`read_table_settings` reads them."""
        return asdict(self)


def read_table_settings(content: object) -> TableSettings:
    """Read the settings of config.json.

    Raises:
        RunError: a field is missing, of the wrong type or out of range.
    """
    wanted = {each.name for each in fields(TableSettings)}
    if not isinstance(content, dict) or set(content) != wanted:
        raise RunError(f"'table' must hold {', '.join(sorted(wanted))}")
    for name in wanted - {"columns"}:
        if not isinstance(content[name], str) and (content[name] is not None or name == "on_gap"):
            raise RunError(f"{name!r} of 'table' must be a text")
    settings = TableSettings(**{**content, "columns": _columns(content["columns"])})
    settings.check()
    return settings


def _columns(content: Any) -> NamedColumns:
    names = {each.name for each in fields(NamedColumns)}
    if not isinstance(content, dict) or set(content) != names:
        raise RunError(f"'columns' of 'table' must hold {', '.join(sorted(names))}")
    time = content["time"]
    lists = {name: content[name] for name in names - {"time"}}
    are_texts = all(
        isinstance(value, list) and all(isinstance(each, str) for each in value) for value in lists.values()
    )
    if not are_texts or not (time is None or isinstance(time, str)):
        raise RunError("'columns' of 'table' must hold names of columns")
    return NamedColumns(time, **{name: tuple(value) for name, value in lists.items()})
