"""Tells trained models apart by what they read."""

from __future__ import annotations

from pathlib import Path

from recurra.tasks.export import load_description


def is_of_texts(path: Path) -> bool:
    """Whether a run folder or a file holds a language model.

    Raises:
        RunError: there is no such model.
        FileFormatError: the file is damaged.
    """
    return load_description(path).vocabulary is not None
