"""Texts of any size to token files, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recurra.errors import RunError
from recurra.tasks.text.collecting import make_vocabulary
from recurra.tasks.text.encoded import Encoder
from recurra.tasks.text.reading import Excerpt, TextFiles, TextSource, place_to_split
from recurra.tasks.text.settings import TextSettings
from recurra.tasks.text.token_file import is_token_file, write_token_file
from recurra.vocabulary import Vocabulary


@dataclass(frozen=True)
class Tokenized:
    """A token file's vocabulary, and what was counted in the text to train on and in the one to validate on."""

    vocabulary: Vocabulary
    train: Encoder
    valid: Encoder


def tokenize(
    files: Sequence[Path],
    out: Path,
    settings: TextSettings,
    valid: Path | None = None,
    progress: Callable[[float, str], None] = lambda fraction, what: None,
) -> Tokenized:
    """Write the tokens of texts to a file that training reads in place of the texts.

    The texts are read three or four times: to count their characters, to find the place to split, to make the
    vocabulary of the text to train on, and to write. Without a text to validate on, the last tenth of the text is used.

    Args:
        files: the texts; several are read as one.
        out: the file to make; it must not exist.
        settings: the level of the tokens, how often one must occur, and the largest number of them.
        valid: the text to validate on. Default: the last tenth.
        progress: is called with the share of a pass over the text that is done, and words for what is being done.

    Raises:
        RunError: a file is refused or changes meanwhile, or a setting is out of range; `out` exists or cannot be
            written.
    """
    settings.check()
    if os.path.lexists(out):
        raise RunError(f"{out} exists already; name a file that does not")
    for path in files if valid is None else [*files, valid]:
        _refuse(path)
    whole = TextFiles(files, settings.level, settings.encoding)
    characters = sum(map(len, whole.parts()))
    cut = place_to_split(whole, characters) if valid is None else characters
    to_train = Excerpt(whole, 0, cut)
    to_validate = Excerpt(whole, cut) if valid is None else TextFiles([valid], settings.level, settings.encoding)
    vocabulary = make_vocabulary(Followed(to_train, cut, "tokens are collected", progress), settings, cut)
    train = Encoder(Followed(to_train, cut, "tokens are written", progress), vocabulary)
    held_out = Encoder(to_validate, vocabulary)
    write_token_file(out, vocabulary, train, held_out)
    if valid is None and train.characters + held_out.characters != characters:
        out.unlink()
        raise RunError("the text changed while it was read; nothing was written")
    return Tokenized(vocabulary, train, held_out)


class Followed:
    """A text that says how far it was read.

    Args:
        source: the text.
        characters: about the number of its characters.
        what: the words for what is being done.
        progress: is called after each part with the share that was read, and `what`.
    """

    def __init__(self, source: TextSource, characters: int, what: str, progress: Callable[[float, str], None]) -> None:
        self._source, self._characters, self._what, self._progress = source, max(1, characters), what, progress

    def parts(self) -> Iterator[str]:
        """Iterate over the text from its beginning."""
        read = 0
        for part in self._source.parts():
            yield part
            read += len(part)
            self._progress(min(1.0, read / self._characters), self._what)


def _refuse(path: Path) -> None:
    """Refuse files that cannot be read several times, and token files.

    Raises:
        RunError: the file is a pipe, or is a token file already.
    """
    if path.is_fifo():
        raise RunError(f"{path} is a pipe, which can be read only once; a file is needed")
    if is_token_file(path):
        raise RunError(f"{path} is a token file already")
