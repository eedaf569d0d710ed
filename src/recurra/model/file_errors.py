"""One error for every failure to read or write a file: a FileFormatError of one line that names the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from recurra.errors import FileFormatError, one_line

_PATH = 120  # characters of a path in a message


@contextmanager
def refusing(path: str | os.PathLike[str], doing: str = "read") -> Iterator[None]:
    """Turn failures inside the block into a FileFormatError; errors of the program itself pass.

    Args:
        path: the file's path, which messages name.
        doing: "read" or "written": what messages say of a file when the system or the memory fails.
    """
    name = one_line(os.fsdecode(path), _PATH)
    try:
        yield
    except OSError as error:
        problem = f"{name} cannot be {doing}: {error.strerror or error}"
    except MemoryError:
        problem = f"{name} cannot be {doing}: it takes more memory than there is"
    except ValueError as error:  # recurra's own errors, and impossible paths and numbers
        problem = f"{name}: {error}"
    else:
        return
    raise FileFormatError(one_line(problem)) from None
