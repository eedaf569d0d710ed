"""Atomic writing of files: a reader or a power cut meets the old content or the new, never a part of it."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], content: bytes | Iterable[bytes | memoryview]) -> None:
    """Write a file, and replace the old one in one step.

    The bytes go to a new file in the same folder. That file is synchronised with the disk and renamed; then the folder
    is synchronised too. After a failure the old file is unchanged, and no temporary file is left. The new file has the
    old one's permissions. A file without write permission is not replaced.

    Args:
        path: the file; of a link, the file that it leads to.
        content: the bytes, whole or in pieces.

    Raises:
        OSError: the folder is missing, not writable or full, or `path` is no plain file.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():  # a device, say: renaming over it would remove it
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
    """Synchronise the names in `folder` with the disk; does nothing on Windows, which opens no folders.

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
