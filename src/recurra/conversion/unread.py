"""``Unread``: stands for an array of a file that is not read, with the reason."""

from __future__ import annotations


class Unread:
    """An array of a file that is not read.

    Args:
        reason: the reason, as messages have it after the array's name.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
