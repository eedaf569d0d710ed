"""Writing files so that a reader, or a power cut, meets the old content or the new one and never half of either."""

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], content: bytes | Iterable[bytes | memoryview]) -> None:
    """Put `content`, whole or in pieces, at `path`, replacing what is there in one step.

    The bytes go to a new file in the same folder, which is synchronised with the disk and renamed; then the folder
    is synchronised too. After a failure the old file is as it was, and no temporary file is left.

    Raises:
        OSError: the folder is missing, not writable or full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("xb") as file:
            for piece in (content,) if isinstance(content, bytes) else content:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    synchronise_folder(path.parent)


def synchronise_folder(folder: Path) -> None:
    """Have the names in `folder` reach the disk, where the system can promise it: Windows opens no folders.

    Raises:
        OSError: the folder cannot be opened.
    """
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
