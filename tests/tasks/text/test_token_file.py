"""Token files give the tokens that were written, in pieces, and refuse all that is damaged."""

import hashlib
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RunError
from recurra.tasks.text import reading
from recurra.tasks.text.batching import Lanes
from recurra.tasks.text.corpus import Corpus, make_corpus, read_corpus
from recurra.tasks.text.encoded import Encoder
from recurra.tasks.text.reading import TextInMemory, split_text
from recurra.tasks.text.settings import TextSettings
from recurra.tasks.text.token_file import is_token_file, open_token_file, write_token_file
from recurra.tasks.text.tokenizing import tokenize
from recurra.vocabulary import Vocabulary
from tests.texts import prose

TEXT = prose()[:5000] + "\nnaïve café, 東京 \U0001f600\n"
LEVELS = ["byte", "char", "word", "bpe"]


def settings_of(level: str) -> TextSettings:
    return TextSettings(level=level, vocabulary_size=300 if level == "bpe" else None)


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    (tmp_path / "text").write_text(TEXT, encoding="utf-8")
    tokenize([tmp_path / "text"], tmp_path / "tokens", settings_of("word"))
    return tmp_path / "tokens"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("part", [64, 2**20])
def test_a_token_file_is_the_corpus_of_its_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str, part: int
) -> None:
    (tmp_path / "text").write_text(TEXT, encoding="utf-8")
    settings = settings_of(level)
    in_memory = read_corpus([tmp_path / "text"], None, settings)
    monkeypatch.setattr(reading, "PART", part)
    fractions: list[float] = []
    made = tokenize([tmp_path / "text"], tmp_path / "tokens", settings, progress=lambda done, _: fractions.append(done))
    if level == "bpe":  # what it is learnt from is cut elsewhere
        in_memory = make_corpus(*split_text(TEXT), settings, made.vocabulary)
    on_disk = read_corpus([tmp_path / "tokens"], None, TextSettings())
    assert on_disk.vocabulary == made.vocabulary == in_memory.vocabulary
    for found, counted, expected in (
        (on_disk.train, made.train, in_memory.train),
        (on_disk.valid, made.valid, in_memory.valid),
    ):
        assert found.tokens[:].tolist() == expected.tokens[:].tolist()
        assert found.digest == counted.digest == expected.digest
        assert (found.characters, found.bytes) == (expected.characters, expected.bytes)
        assert (found.unknown.total, found.unknown.kinds) == (expected.unknown.total, expected.unknown.kinds)
    assert fractions[-1] == max(fractions) == 1.0
    assert sum(text.bytes for text in (on_disk.train, on_disk.valid)) == len(TEXT.encode())


def test_a_text_to_validate_on(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("one two\n", encoding="utf-8")
    (tmp_path / "valid").write_text("one six six\n", encoding="utf-8")
    settings = TextSettings(level="word", min_count=1)
    tokenize([tmp_path / "text"] * 2, tmp_path / "tokens", settings, tmp_path / "valid")
    corpus = read_corpus([tmp_path / "tokens"], None, settings)
    assert corpus.vocabulary.tokens == ("<unk>", "<eos>", "one", "two")
    assert corpus.train.tokens[:].tolist() == [2, 3, 1, 2, 3, 1]
    assert corpus.valid.tokens[:].tolist() == [2, 0, 0, 1]
    assert corpus.valid.unknown.kinds == {"six": 2}


def test_any_slice(tokens: Path) -> None:
    train, valid, _ = open_token_file(tokens)

    @given(st.data())
    def check(data: st.DataObject) -> None:
        for text in (train, valid):
            whole = text.tokens[:]
            begin, end = (data.draw(st.integers(0, len(whole) + 3)) for _ in range(2))
            assert text.tokens[begin:end].tolist() == whole[begin:end].tolist()

    check()


def test_lanes_of_a_file_are_those_of_an_array(tokens: Path) -> None:
    train, _, vocabulary = open_token_file(tokens)
    lanes = [Lanes(source, 4, vocabulary.start) for source in (train.tokens, train.tokens[:])]
    for windows in zip(*(each.windows(7) for each in lanes), strict=True):
        for mine, other in zip(*windows, strict=True):
            assert torch.equal(mine, other)


def test_memory_does_not_grow_with_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PART", 2**14)
    peaks = []
    for lines in (4_000, 40_000):
        (tmp_path / "text").write_text("".join(f"the cat sat on mat {n % 97}\n" for n in range(lines)))
        (tmp_path / "tokens").unlink(missing_ok=True)
        tracemalloc.start()
        tokenize([tmp_path / "text"], tmp_path / "tokens", TextSettings(level="word"))
        corpus = read_corpus([tmp_path / "tokens"], None, TextSettings())
        assert sum(len(window) for window, _ in Lanes(corpus.train.tokens, 8, 1).windows(64)) > lines // 2
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def parts_of(content: bytes) -> tuple[bytes, bytes, dict[str, Any]]:
    """The mark, the tokens and the description of a token file."""
    length = int.from_bytes(content[-24:-16], "little")
    return content[:16], content[16 : -56 - length], json.loads(content[-56 - length : -56])


def joined(mark: bytes, tokens: bytes, description: Any) -> bytes:
    text = description if isinstance(description, bytes) else json.dumps(description).encode()
    return b"".join((mark, tokens, text, hashlib.sha256(text).digest(), len(text).to_bytes(8, "little"), mark))


def refused(path: Path, message: str) -> None:
    with pytest.raises(RunError, match=message) as caught:
        open_token_file(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_was_cut_short(tokens: Path) -> None:
    content = tokens.read_bytes()
    for length in (*range(15, 200), *range(200, len(content), 97), len(content) - 1):
        tokens.write_bytes(content[:length])
        refused(tokens, "cut short" if length > 15 else "cut short|version")
    tokens.write_bytes(content[:14])
    refused(tokens, "is no token file")
    tokens.write_bytes(content + b"x")
    refused(tokens, "cut short")


def test_any_changed_byte_is_noticed(tokens: Path) -> None:
    content = tokens.read_bytes()
    places = {*range(60), *range(60, len(content), 41), *range(len(content) - 60, len(content))}
    for place in sorted(places):
        tokens.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        refused(tokens, "is damaged|no token file|of version 0")


def test_another_version(tokens: Path) -> None:
    content = tokens.read_bytes()
    mark = content[:15] + b"\2"
    tokens.write_bytes(mark + content[16:-16] + mark)
    refused(tokens, "token file of version 2; this recurra reads version 1")
    assert is_token_file(tokens)


CHANGES = {
    "a list": ([], "its description must be an object"),
    "no JSON": (b"{", "no JSON"),
    "no UTF-8": (b'{"a": "\xff"}', "no JSON"),
    "nested deep": (b"[" * 100_000, "no JSON"),
    "a field missing": ({"vocabulary": None}, r"fields missing: \['train', 'valid'\]"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_damaged_description(tokens: Path, name: str) -> None:
    mark, numbers, _ = parts_of(tokens.read_bytes())
    tokens.write_bytes(joined(mark, numbers, CHANGES[name][0]))
    refused(tokens, f"is damaged: .*{CHANGES[name][1]}")


FIELDS = [
    (("vocabulary",), {"level": "word", "tokens": "a b"}, "a vocabulary of words has <eos>"),
    (("vocabulary",), {"level": "char", "tokens": "ab"}, "is not in its vocabulary"),
    (("train",), [], "'train' must be an object"),
    (("train", "tokens"), -1, "'train' must hold whole numbers"),
    (("train", "tokens"), True, "'train' must hold whole numbers"),
    (("train", "tokens"), 1.5, "'train' must hold whole numbers"),
    (("train", "tokens"), 2**61, "has become shorter|not those"),
    (("train", "tokens"), 2**63, "'train' must hold whole numbers"),
    (("train", "tokens"), 0, "'train' must hold tokens"),
    (("train", "tokens"), 7, "not those that were written"),
    (("valid", "characters"), "7", "'valid' must hold whole numbers"),
    (("valid", "bytes"), 0, "'valid' must hold tokens"),
    (("valid", "digest"), 7, "the digest of 'valid' must be a text"),
    (("valid", "digest"), "abc", "not those that were written"),
    (("valid", "more"), 1, r"not known: \['more'\]"),
    (("valid", "unknown"), 3, "'unknown' of 'valid' must be an object"),
    (("valid", "unknown", "total"), None, "'valid' must hold whole numbers"),
    (("valid", "unknown", "kinds"), ["a"], "the kinds of 'valid' must be an object"),
    (("valid", "unknown", "kinds"), {str(n): 1 for n in range(1001)}, "an object of at most 1000"),
    (("valid", "unknown", "kinds"), {"a": "b"}, "'valid' must hold whole numbers"),
]


@pytest.mark.parametrize(("path", "value", "message"), FIELDS)
def test_every_field_is_checked(tokens: Path, path: tuple[str, ...], value: object, message: str) -> None:
    mark, numbers, description = parts_of(tokens.read_bytes())
    target = description
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    tokens.write_bytes(joined(mark, numbers, description))
    refused(tokens, message)


def test_a_description_that_is_too_long(tokens: Path) -> None:
    content = tokens.read_bytes()
    tokens.write_bytes(content[:-24] + (2**60).to_bytes(8, "little") + content[-16:])
    refused(tokens, f"its description has {2**60} bytes, which is too many")


def test_tokens_too_many(tokens: Path) -> None:
    mark, numbers, description = parts_of(tokens.read_bytes())
    tokens.write_bytes(joined(mark, numbers + b"\0", description))
    refused(tokens, "is damaged: its tokens take")


def test_a_file_that_changes_while_it_is_read(tokens: Path) -> None:
    """The tokens are checked again when they are read."""
    train, _, vocabulary = open_token_file(tokens)
    with tokens.open("r+b") as file:
        file.seek(16)
        file.write(bytes([len(vocabulary)]))
    with pytest.raises(RunError, match=f"is damaged: token {len(vocabulary)} is not in its vocabulary"):
        train.tokens[0:5]
    os.truncate(tokens, 20)
    with pytest.raises(RunError, match="has become shorter while it was read"):
        train.tokens[0:50]


def test_what_is_no_token_file(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    assert not any(is_token_file(tmp_path / name) for name in ("text", "missing", "."))
    refused(tmp_path / "text", "is no token file of 'recurra text tokenize'")
    refused(tmp_path / "missing", "there is no such file")


def test_the_width_of_tokens(tmp_path: Path) -> None:
    characters = [chr(code) for code in range(0x4E00, 0x4E00 + 70_000) if not 0xD800 <= code < 0xE000]
    for size, width in ((256, 1), (257, 2), (65_536, 2), (65_537, 4)):
        vocabulary = Vocabulary("char", ["<unk>", *characters[: size - 1]])
        text = TextInMemory(characters[0] + characters[size - 2])
        write_token_file(tmp_path / "tokens", vocabulary, Encoder(text, vocabulary), Encoder(text, vocabulary))
        train, valid, found = open_token_file(tmp_path / "tokens")
        assert found == vocabulary
        assert train.tokens[:].tolist() == valid.tokens[:].tolist() == [1, size - 1]
        assert train.tokens[:].dtype.itemsize == width
        assert len(parts_of((tmp_path / "tokens").read_bytes())[1]) == 4 * width


def test_other_texts_beside_a_token_file(tokens: Path) -> None:
    text = tokens.with_name("text")
    for files, valid in (([tokens, text], None), ([text, tokens], None), ([tokens], text), ([text], tokens)):
        with pytest.raises(RunError, match="is a token file, which has both its texts in it"):
            read_corpus(files, valid, TextSettings())
    with pytest.raises(RunError, match="has another vocabulary"):
        read_corpus([tokens], None, TextSettings(), Vocabulary("byte"))
    corpus = read_corpus([tokens], None, TextSettings())
    assert isinstance(read_corpus([tokens], None, TextSettings(), corpus.vocabulary), Corpus)
    again = read_corpus([text], None, TextSettings(level="word"), corpus.vocabulary)
    assert np.array_equal(again.train.tokens[:], corpus.train.tokens[:])
