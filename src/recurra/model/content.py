"""Checks of what a text of JSON holds, shared by the readers of descriptions and annotations."""

from __future__ import annotations

from typing import Any

from recurra.errors import FileFormatError

MAX_NAME = 100  # characters of a name within a description


def fields(content: Any, what: str, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """An object of JSON that has these fields and no others.

    Args:
        content: the object.
        what: its name in messages.
        names: the fields that it must have.
        optional: further ones that it may have.

    Raises:
        FileFormatError: it is no object, a field is missing, or one is not known; names them.
    """
    if not isinstance(content, dict):
        raise FileFormatError(f"{what} must be an object, not {type(content).__name__}")
    missing = [name for name in names if name not in content]
    extra = [name[:40] for name in content if name not in names and name not in optional]
    if missing or extra:
        raise FileFormatError(f"{what}: fields missing: {missing}; not known: {extra[:5]}")
    return content


def is_name(value: object) -> bool:
    """True of a text that can name something: 1 to 100 characters that can be shown."""
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable()
