"""The demo's table: the monthly passengers of international airlines, 1949 to 1960, in thousands (Box & Jenkins)."""

from __future__ import annotations

from pathlib import Path

PASSENGERS = Path(__file__).with_name("airline.csv")
KEPT_BACK = 24  # months that the model does not learn from


def demo_tables() -> tuple[bytes, bytes]:
    """The whole table as CSV, and the table without the months that are kept back."""
    lines = PASSENGERS.read_bytes().splitlines(keepends=True)
    return b"".join(lines), b"".join(lines[:-KEPT_BACK])
