"""The configuration of a text run: its settings, and the files that it reads, to and from config.json."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from recurra.errors import RunError
from recurra.tasks.text.settings import ModelSettings, TextSettings
from recurra.tasks.training.settings import TrainingSettings

# JSON has no infinity: null stands for it here.
_INFINITE = ("clip", "clip_value")
# A larger file, of tokens in most cases, is known by its size and so many pieces of it, evenly spread.
_LARGEST_READ = 2**28  # bytes
_PIECES = 64
_PIECE = 2**20  # bytes
S = TypeVar("S", ModelSettings, TrainingSettings)


@dataclass(frozen=True)
class Source:
    """A file that a run reads, and the checks that it is still the same.

    Attributes:
        path: the file's absolute path.
        size: its bytes.
        sha256: the checksum of its bytes, in hexadecimal digits; of a file above 256 MiB that of 64 MiB of it.
    """

    path: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class Sources:
    """The files of a run: those to train on, and the one to validate on, None for a part of the others."""

    files: tuple[Source, ...]
    valid: Source | None

    def check(self) -> None:
        """Refuse files that have changed.

        Raises:
            RunError: a file is missing, or not the one that the run began with.
        """
        for source in (*self.files, *((self.valid,) if self.valid else ())):
            if _size(source.path) != source.size or source_of(source.path).sha256 != source.sha256:
                raise RunError(f"{source.path} has changed since the run began; it goes on with the same text only")


def sources_of(files: Sequence[Path], valid: Path | None) -> Sources:
    """The files of a run that begins.

    Raises:
        RunError: a file cannot be read.
    """
    return Sources(tuple(map(source_of, files)), None if valid is None else source_of(valid))


def source_of(path: Path) -> Source:
    """Read a file's size and checksum; of a pipe, which can be read only once, both are nothing.

    Raises:
        RunError: the file cannot be read.
    """
    size = _size(path)
    digest = hashlib.sha256()
    try:
        if path.is_file():
            with path.open("rb") as file:
                for begin in _places(size):
                    file.seek(begin)
                    digest.update(file.read(_PIECE))
    except OSError as error:
        raise _unreadable(path, error) from None
    return Source(path.absolute(), size, digest.hexdigest())


def _places(size: int) -> Iterator[int]:
    """The first bytes of the pieces by which a file is known."""
    if size <= _LARGEST_READ:
        yield from range(0, size, _PIECE)
        return
    for number in range(_PIECES):
        yield (size - _PIECE) * number // (_PIECES - 1)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> RunError:
    return RunError(f"{path} cannot be read: {error.strerror or error}")


def config_of(settings: TextSettings, sources: Sources | None) -> dict[str, object]:
    """The settings and sources as :func:`read_config` reads them."""
    text = asdict(settings)
    model, training = text.pop("model"), text.pop("training")
    training["lr"] = settings.training.rate
    for name in _INFINITE:
        if math.isinf(training[name]):
            training[name] = None
    content: dict[str, object] = {"model": model, "training": training, "text": text}
    if sources is not None:
        content["data"] = {
            "files": [_content(source) for source in sources.files],
            "valid": None if sources.valid is None else _content(sources.valid),
        }
    return content


def _content(source: Source) -> dict[str, object]:
    return {**asdict(source), "path": str(source.path)}


def read_config(config: Mapping[str, object]) -> tuple[TextSettings, Sources]:
    """Read the settings and the sources of a run.

    Raises:
        RunError: a field is missing, of the wrong type or out of range.
    """
    training = config.get("training")
    if isinstance(training, dict):
        training = {**training, **{name: math.inf for name in _INFINITE if training.get(name, 0) is None}}
    text = config.get("text")
    if not isinstance(text, dict):
        raise RunError("'text' must hold the settings of the text")
    inner: dict[str, Any] = {
        "model": _settings("model", ModelSettings, config.get("model")),
        "training": _settings("training", TrainingSettings, training),
    }
    known = {each.name for each in fields(TextSettings)} - set(inner)
    if set(text) != known:
        raise RunError(f"'text' must hold {', '.join(sorted(known))}")
    _check_flags("text", TextSettings, text)
    settings = TextSettings(**text, **inner)
    settings.check()
    return settings, _sources(config.get("data"))


def _settings(name: str, kind: type[S], content: object) -> S:
    known = {each.name for each in fields(kind)}
    if not isinstance(content, dict) or set(content) != known:
        raise RunError(f"{name!r} must hold {', '.join(sorted(known))}")
    _check_flags(name, kind, content)
    listed = {key: tuple(value) for key, value in content.items() if isinstance(value, list)}
    return replace(kind(), **{**content, **listed})


def _check_flags(name: str, kind: type[Any], content: Mapping[str, object]) -> None:
    for each in fields(kind):
        if each.default is not MISSING and isinstance(each.default, bool) and type(content[each.name]) is not bool:
            raise RunError(f"{each.name!r} of {name!r} must be true or false")


def _sources(content: object) -> Sources:
    if not isinstance(content, dict) or content.keys() != {"files", "valid"} or not isinstance(content["files"], list):
        raise RunError("'data' must hold files and valid")
    files = tuple(map(_source, content["files"]))
    if not files:
        raise RunError("'data' has no files")
    return Sources(files, None if content["valid"] is None else _source(content["valid"]))


def _source(content: object) -> Source:
    kinds = {"path": str, "size": int, "sha256": str}
    if not isinstance(content, dict) or content.keys() != kinds.keys():
        raise RunError("a file of 'data' must have path, size and sha256")
    if any(type(content[name]) is not kind for name, kind in kinds.items()):
        raise RunError("a file of 'data' must have a path, a size and a checksum")
    return Source(Path(content["path"]), content["size"], content["sha256"])
