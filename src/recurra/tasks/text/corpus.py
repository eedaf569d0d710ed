"""The corpus of a training: a text to train on and one to validate on, as tokens, and the vocabulary of the first."""

from __future__ import annotations

import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recurra.errors import RunError
from recurra.tasks.text.collecting import make_vocabulary
from recurra.tasks.text.encoded import EncodedText, encode_source
from recurra.tasks.text.reading import TextInMemory, read_text, read_texts, split_text
from recurra.tasks.text.settings import TextSettings
from recurra.tasks.text.token_file import is_token_file, open_token_file
from recurra.vocabulary import Vocabulary

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


@dataclass(frozen=True)
class Corpus:
    """The texts of a training as tokens: one to train on, one to validate on, and the vocabulary of the first."""

    train: EncodedText
    valid: EncodedText
    vocabulary: Vocabulary


def read_corpus(
    files: Sequence[Path], valid: Path | None, settings: TextSettings, vocabulary: Vocabulary | None = None
) -> Corpus:
    """Read texts, or one file of tokens that :func:`recurra.tasks.text.tokenizing.tokenize` made.

    Texts are read into memory; without one to validate on, the last tenth of the text is used. A token file has both
    texts and the vocabulary, and stays on the disk.

    Args:
        files: the texts, or the token file.
        valid: the text to validate on; None for the last tenth.
        settings: the level of the tokens and the size of the vocabulary, of which a token file needs none.
        vocabulary: the vocabulary, if it is known already. Default: made from the text to train on.

    Raises:
        RunError: a file is refused, a setting is out of range, or a token file is given beside other texts or has
            another vocabulary.
    """
    settings.check()
    tokenized = [path for path in (*files, *([] if valid is None else [valid])) if is_token_file(path)]
    if not tokenized:
        text = read_texts(files, settings.level, settings.encoding)
        parts = split_text(text) if valid is None else (text, read_text(valid, settings.level, settings.encoding))
        return make_corpus(*parts, settings, vocabulary)
    if len(files) > 1 or valid is not None:
        raise RunError(f"{tokenized[0]} is a token file, which has both its texts in it: give no other text")
    found = Corpus(*open_token_file(files[0]))
    if vocabulary is not None and vocabulary != found.vocabulary:
        raise RunError(f"{files[0]} has another vocabulary")
    return found


def make_corpus(train: str, valid: str, settings: TextSettings, vocabulary: Vocabulary | None = None) -> Corpus:
    """Make a corpus of two texts, with the vocabulary of the training text alone.

    Args:
        train: the text to train on.
        valid: the text to validate on.
        settings: the level of the tokens and the size of the vocabulary.
        vocabulary: the vocabulary, if it is known already. Default: made from the text to train on.

    Raises:
        RunError: the vocabulary would be empty or too large, or byte pairs are to be learnt without the library
            tokenizers.
    """
    texts = [TextInMemory(train), TextInMemory(valid)]
    known = make_vocabulary(texts[0], settings, len(train)) if vocabulary is None else vocabulary
    return Corpus(encode_source(texts[0], known), encode_source(texts[1], known), known)


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
