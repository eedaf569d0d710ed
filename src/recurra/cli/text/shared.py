"""Arguments and messages that several commands on texts have in common."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

Trained = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that 'text train' made, or an exported file.")]


def listed(unknown: Counter[str], total: int | None = None) -> str:
    """The number of unknown tokens, by default as many as are counted, and the most frequent ones."""
    kinds = ", ".join(f"{token!a}" for token, _ in unknown.most_common(5))
    count = unknown.total() if total is None else total
    return f"{count} tokens ({kinds}{', …' if len(unknown) > 5 else ''})"
