"""The files that commands on forecasts write and read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from recurra.errors import RunError
from recurra.files import write_atomically

if TYPE_CHECKING:
    from recurra.series.table import Table


def write_table(table: Table, path: Path) -> None:
    """Write a table to a CSV file.

    Raises:
        RunError: the file cannot be written.
    """
    from recurra.series.results import write_csv

    try:
        write_atomically(path, write_csv(table).encode())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise RunError(f"{path} cannot be written: {reason or error}") from None


def is_run(path: Path) -> bool:
    """True for a path of a run: a folder or a model's file, and no table."""
    return path.is_dir() or path.suffix == ".safetensors"
