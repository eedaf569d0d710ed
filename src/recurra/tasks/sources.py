"""The files that a run reads, as config.json holds them, and the checks that they are still the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from recurra.errors import RunError

# A larger file, of tokens in most cases, is known by its size and so many pieces of it, evenly spread.
_LARGEST_READ = 2**28  # bytes
_PIECES = 64
_PIECE = 2**20  # bytes


@dataclass(frozen=True)
class Source:
    """A file that a run reads.

    Attributes:
        path: the file's absolute path.
        size: its bytes.
        sha256: the checksum of its bytes, in hexadecimal digits; of a file above 256 MiB that of 64 MiB of it.
    """

    path: Path
    size: int
    sha256: str

    def content(self) -> dict[str, object]:
        """The source as :func:`read_source` reads it."""
        return {**asdict(self), "path": str(self.path)}


def read_source(content: object) -> Source:
    """Read a source of config.json.

    Raises:
        RunError: a field is missing or of the wrong type.
    """
    kinds = {"path": str, "size": int, "sha256": str}
    if not isinstance(content, dict) or content.keys() != kinds.keys():
        raise RunError("a file of 'data' must have path, size and sha256")
    if any(type(content[name]) is not kind for name, kind in kinds.items()):
        raise RunError("a file of 'data' must have a path, a size and a checksum")
    return Source(Path(content["path"]), content["size"], content["sha256"])


def plain_source(path: Path) -> Source:
    """Read a file's size and checksum; of a pipe, which can be read only once, both are nothing.

    Raises:
        RunError: the file cannot be read.
    """
    size = size_of(path)
    digest = hashlib.sha256()
    try:
        if path.is_file():
            with path.open("rb") as file:
                for begin in _places(size):
                    file.seek(begin)
                    digest.update(file.read(_PIECE))
    except OSError as error:
        raise unreadable(path, error) from None
    return Source(path.absolute(), size, digest.hexdigest())


def size_of(path: Path) -> int:
    """The bytes of a file.

    Raises:
        RunError: the file cannot be read.
    """
    try:
        return path.stat().st_size
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception) -> RunError:
    """The error of a file that cannot be read."""
    reason = error.strerror if isinstance(error, OSError) else None
    return RunError(f"{path} cannot be read: {reason or error}")


def _places(size: int) -> Iterator[int]:
    """The first bytes of the pieces by which a file is known."""
    if size <= _LARGEST_READ:
        yield from range(0, size, _PIECE)
        return
    for number in range(_PIECES):
        yield (size - _PIECE) * number // (_PIECES - 1)
