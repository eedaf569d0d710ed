"""Encodings of text files: Python's by name, UTF-16 by its byte order mark, and guesses for bytes that do not fit."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterator

from recurra.errors import RunError

DEFAULT = "utf-8"
LONGEST_MARK = 4  # bytes of a byte order mark
MOST_GUESSES = 3
_NEAR = 2000  # bytes on each side of the fault that guesses look at
_SHOWN = 12  # characters on each side of the fault that a message shows
_MARKS = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE
_PUNCTUATION = frozenset("‘’“”„‚–—…«»‹›•·°§€£¥©®™¡¿º²³½×。、，「」！？：；（）　")
# In the order in which guesses of the same merit are listed.
_GUESSED = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "koi8-r", "mac-roman", "cp850", "shift_jis", "euc_jp", "gb18030",
    "big5", "euc_kr",
)  # fmt: skip
_ONE_SCRIPT = {"HIRAGANA": "CJK", "KATAKANA": "CJK"}


def check_encoding(name: str) -> None:
    """Refuse what is no encoding of text.

    Raises:
        RunError: Python knows no such encoding.
    """
    try:
        "a".encode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, UnicodeError, ValueError):
        raise RunError(
            f"--encoding {name} is no encoding that Python knows; there are utf-8, utf-16, cp1252, shift_jis and others"
        ) from None


def encoding_of(name: str, first: bytes) -> str:
    """The encoding of a file: the given one, or UTF-16 where UTF-8 is given and a byte order mark says UTF-16.

    Args:
        name: the encoding that was given.
        first: the first bytes of the file.
    """
    if codecs.lookup(name).name not in ("utf-8", "utf-8-sig"):
        return name
    if first.startswith(_MARKS) and not first.startswith(codecs.BOM_UTF32_LE):
        return "utf-16"
    return "utf-8-sig"  # a byte order mark of UTF-8 is no part of the text


def title(name: str) -> str:
    """An encoding's name for messages."""
    own = codecs.lookup(name).name.removesuffix("-sig")
    return own.upper() if own.startswith("utf") else own


def suggestion(content: bytes, place: int) -> str:
    """The end of a message about bytes that do not fit: encodings in which they make words, and what they read.

    Args:
        content: bytes of the file.
        place: the position of the first one that does not fit.
    """
    guesses = list(_guesses(content, place))[:MOST_GUESSES]
    if not guesses:
        return ""
    best, shown = guesses[0]
    others = f"; or {' or '.join(name for name, _ in guesses[1:])}" if guesses[1:] else ""
    return f": --encoding {best} would read {shown!r}{others}"


def wide_suggestion(content: bytes) -> str:
    """The end of a message about NUL bytes: the UTF-16 that the bytes look like; empty where they look like none."""
    halves = content[: 2 * (len(content) // 2)]
    nul = [halves[first::2].count(0) for first in (0, 1)]
    enough = len(halves) // 4  # half of the characters, as of a text in the Latin script
    if max(nul) <= enough or min(nul) > max(nul) // 10:
        return ""
    return f": --encoding utf-16-{'le' if nul[1] > nul[0] else 'be'} would read it"


def _guesses(content: bytes, place: int) -> Iterator[tuple[str, str]]:
    """Encodings in which the bytes make words, the likeliest first, each with the text around the place."""
    begin = max(0, place - _NEAR)
    begin = content.rfind(b"\n", 0, begin) + 1 if begin else 0
    end = content.find(b"\n", place + _NEAR) + 1 or len(content)
    found = []
    for order, name in enumerate(_GUESSED):
        try:
            text = content[begin:end].decode(name)
            before = len(content[begin:place].decode(name))
        except UnicodeDecodeError:
            continue
        merit = _merit(text)
        if merit > 0.5:  # below, most of it is no words
            found.append((-merit, order, name, text[max(0, before - _SHOWN) : before + _SHOWN].strip()))
    for _, _, name, shown in sorted(found):
        yield name, shown


def _merit(text: str) -> float:
    """The share of characters outside of ASCII that are plausible: of one script in a word, and of usual case."""
    good = total = 0
    for word in _words(text):
        foreign = sum(not each.isascii() for each in word)
        total += foreign
        scripts = {_script(each) for each in word}
        usual_case = word[1:] == word[1:].lower() or (word == word.upper() and len(word) > 1 and word[0].isascii())
        good += foreign * (len(scripts) == 1 and usual_case)
    for each in text:
        if not each.isascii() and not each.isalpha():
            total += 1
            good += each in _PUNCTUATION
    return good / total if total else 0.0


def _words(text: str) -> list[str]:
    return "".join(each if each.isalpha() else " " for each in text).split()


def _script(letter: str) -> str:
    name = unicodedata.name(letter, "unknown").partition(" ")[0]
    return _ONE_SCRIPT.get(name, name)
