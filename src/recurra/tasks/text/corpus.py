"""Texts: reading and checking files, splitting a text in two, and the text that comes with Python."""

import stat
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from recurra.errors import RunError

VALID_FRACTION = 0.1

# Well documented modules, each a single file of every Python; about 670,000 characters.
DEFAULT_MODULES = (
    "argparse",
    "calendar",
    "cmd",
    "code",
    "configparser",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "difflib",
    "gettext",
    "heapq",
    "random",
    "shutil",
    "statistics",
    "string",
    "textwrap",
    "threading",
)


def read_text(path: Path) -> str:
    """Read a whole UTF-8 file; line ends of other systems become ``\\n``, and a byte order mark is removed.

    Raises:
        RunError: the file is missing, a folder or a device, not readable, empty, binary (with a NUL byte) or not UTF-8.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) or stat.S_ISFIFO(mode):
            return _decode(path.read_bytes(), path)
    except FileNotFoundError:
        raise RunError(f"{path}: there is no such file") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from None
    kind = "folder" if stat.S_ISDIR(mode) else "device"
    raise RunError(f"{path} is a {kind}; a text file is needed")


def _decode(content: bytes, path: Path) -> str:
    if b"\0" in content:
        raise RunError(f"{path} is not text: it has a NUL byte at position {content.index(0)}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RunError(f"{path} is not UTF-8 text: byte 0x{content[error.start]:02x} at {error.start}") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise RunError(f"{path} is empty" if not text else f"{path} holds nothing but white space")
    return text


def read_texts(paths: Sequence[Path]) -> str:
    """Read several files as one text, in this order; each begins on a new line.

    Raises:
        RunError: as :func:`read_text`, for the first file that is refused.
    """
    texts = [read_text(path) for path in paths]
    ended = [text if text.endswith("\n") else text + "\n" for text in texts[:-1]]
    return "".join([*ended, *texts[-1:]])


def split_text(text: str, fraction: float = VALID_FRACTION) -> tuple[str, str]:
    """Cut off the last `fraction` for validation: at a line end if one is near, else at a space, else exactly there.

    Returns:
        The part to train on and the part to validate on; together they are the text.
    """
    cut = len(text) - max(1, round(len(text) * fraction))
    near = cut + (len(text) - cut) // 2
    for separator in ("\n", " "):
        position = text.find(separator, cut, near)
        if position >= 0:
            return text[: position + 1], text[position + 1 :]
    return text[:cut], text[cut:]


def default_corpus() -> str:
    """The text of the demo: the source of 18 modules of the running Python, a fixed list in sorted order.

    Raises:
        RunError: this Python comes without its source.
    """
    folder = Path(sysconfig.get_path("stdlib"))
    paths = [folder / f"{name}.py" for name in DEFAULT_MODULES]
    present = [path for path in paths if path.is_file()]
    if not present:
        raise RunError(f"the demo reads the source of Python's standard library, and {folder} has none")
    return read_texts(present)
