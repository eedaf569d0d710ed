"""The configuration of a text run: its settings, and the files that it reads, to and from config.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from recurra.errors import RunError
from recurra.tasks.sources import Source, plain_source, read_source, size_of, unreadable
from recurra.tasks.stored_settings import read_settings, read_training, training_content
from recurra.tasks.text.encodings import DEFAULT
from recurra.tasks.text.settings import TextSettings, model_settings
from recurra.tasks.text.token_file import is_token_file, token_file_digest

# Settings that runs of older versions lack, with what these did.
_ADDED = {"encoding": DEFAULT}


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
            if size_of(source.path) != source.size or source_of(source.path).sha256 != source.sha256:
                raise RunError(f"{source.path} has changed since the run began; it goes on with the same text only")


def sources_of(files: Sequence[Path], valid: Path | None) -> Sources:
    """The files of a run that begins.

    Raises:
        RunError: a file cannot be read.
    """
    return Sources(tuple(map(source_of, files)), None if valid is None else source_of(valid))


def source_of(path: Path) -> Source:
    """Read a file's size and checksum; a token file has its checksum in it, and need not be read.

    Raises:
        RunError: the file cannot be read.
    """
    try:
        if is_token_file(path):
            return Source(path.absolute(), size_of(path), token_file_digest(path))
    except OSError as error:
        raise unreadable(path, error) from None
    return plain_source(path)


def config_of(settings: TextSettings, sources: Sources | None) -> dict[str, object]:
    """The settings and sources as :func:`read_config` reads them."""
    text = asdict(settings)
    model, _ = text.pop("model"), text.pop("training")
    content: dict[str, object] = {"model": model, "training": training_content(settings.training), "text": text}
    if sources is not None:
        content["data"] = {
            "files": [source.content() for source in sources.files],
            "valid": None if sources.valid is None else sources.valid.content(),
        }
    return content


def read_config(config: Mapping[str, object]) -> tuple[TextSettings, Sources]:
    """Read the settings and the sources of a run.

    Raises:
        RunError: a field is missing, of the wrong type or out of range.
    """
    if not isinstance(config.get("text"), dict):
        raise RunError("'text' must hold the settings of the text")
    inner = {
        "model": model_settings(config.get("model")),
        "training": read_training(config.get("training")),
    }
    settings = read_settings("text", TextSettings, config.get("text"), added=_ADDED, **inner)
    settings.check()
    return settings, _sources(config.get("data"))


def _sources(content: object) -> Sources:
    if not isinstance(content, dict) or content.keys() != {"files", "valid"} or not isinstance(content["files"], list):
        raise RunError("'data' must hold files and valid")
    files = tuple(map(read_source, content["files"]))
    if not files:
        raise RunError("'data' has no files")
    return Sources(files, None if content["valid"] is None else read_source(content["valid"]))
