"""Writing files so that a reader, or a power cut, meets the old content or the new one and never half of either."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], content: bytes | Iterable[bytes | memoryview]) -> None:
    """Put `content`, whole or in pieces, at `path`, replacing what is there in one step.

    The bytes go to a new file in the same folder, which is synchronised with the disk and renamed; then the folder
    is synchronised too. After a failure the old file is as it was, and no temporary file is left. A file that is
    replaced keeps its permissions; one that may not be written to is not replaced.

    Raises:
        OSError: the folder is missing, not writable or full; or what is there is no plain file.
    """
    path = Path(os.path.realpath(path))  # of a link, what it leads to is replaced
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():  # a device, say, would be gone
        raise OSError(errno.EINVAL, "It is no plain file", str(path))
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    if mode is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    temporary = path.with_name(f".{secrets.token_hex(12)}.tmp")
    try:
        with temporary.open("xb") as file:
            for piece in (content,) if isinstance(content, bytes) else content:
                file.write(piece)
            file.flush()
            if mode is not None:
                temporary.chmod(mode)
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
