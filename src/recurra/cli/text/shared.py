"""Arguments and messages that several commands on texts have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recurra.vocabulary import UnknownTokens

Trained = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that 'text train' made, or an exported file.")]


def listed(unknown: UnknownTokens) -> str:
    """The number of unknown tokens, and the most frequent ones."""
    kinds = ", ".join(f"{token!a}" for token, _ in unknown.kinds.most_common(5))
    return f"{unknown.total} tokens ({kinds}{', …' if len(unknown.kinds) > 5 else ''})"
