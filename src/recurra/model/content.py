"""Checks of JSON content, shared by the readers of descriptions and annotations."""

from __future__ import annotations

from typing import Any

from recurra.errors import FileFormatError

MAX_NAME = 100  # characters of a name in a description


def fields(content: Any, what: str, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Check that JSON content is an object with these fields and no others, and return it.

    Args:
        content: the object.
        what: the object's name in messages.
        names: the fields that it must have.
        optional: the fields that it may have as well.

    Raises:
        FileFormatError: the content is no object, a field is missing, or a field is not known; the message names it.
    """
    if not isinstance(content, dict):
        raise FileFormatError(f"{what} must be an object, not {type(content).__name__}")
    missing = [name for name in names if name not in content]
    extra = [name[:40] for name in content if name not in names and name not in optional]
    if missing or extra:
        raise FileFormatError(f"{what}: fields missing: {missing}; not known: {extra[:5]}")
    return content


def is_name(value: object) -> bool:
    """Whether a value can be a name: a text of 1 to 100 printable characters."""
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable()
