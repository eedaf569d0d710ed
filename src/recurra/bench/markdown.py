"""Tables and numbers in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recurra.bench.rows import Spread


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty if it has no rows."""
    lines = [_line(row) for row in rows]
    return "\n".join([_line(titles), "|" + "---|" * len(titles), *lines]) if lines else ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def milliseconds(time: Spread | None) -> str:
    """A median and its quartiles, in milliseconds."""
    if time is None:
        return "–"
    return f"{digits(1e3 * time.middle)} ({digits(1e3 * time.low)}–{digits(1e3 * time.high)})"


def ratio(value: Spread | None) -> str:
    """A ratio and its quartiles."""
    return "–" if value is None else f"{value.middle:.2f} ({value.low:.2f}–{value.high:.2f})"


def digits(value: float) -> str:
    """A number with three significant digits, without an exponent."""
    if value <= 0:
        return "0"
    places = max(0, 2 - _magnitude(value))
    return f"{value:.{places}f}"


def _magnitude(value: float) -> int:
    return int(f"{value:.2e}".partition("e")[2])


def size(count: int) -> str:
    """Bytes in the unit that suits them."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= factor:
            return f"{round(count / factor, 1):g} {unit}"
    return f"{count} B"
