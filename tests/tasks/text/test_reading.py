"""Bad texts lead to one clear error each, texts in parts are the whole texts, and a split loses nothing."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RunError
from recurra.tasks.text import reading
from recurra.tasks.text.reading import (
    Excerpt,
    TextFiles,
    TextInMemory,
    place_to_split,
    read_text,
    read_texts,
    split_text,
)
from recurra.vocabulary import utf8

BAD = [
    (b"", "is empty"),
    (b" \n\n", "white space"),
    (b"\x7fELF\0\0", "NUL byte at position 4"),
    (b"caf\xe9 au lait", "not UTF-8 text: byte 0xe9 at 3"),
    ("text".encode("utf-16-le"), "NUL byte at position 1"),
    ("text and text".encode("utf-16-be"), "NUL byte at position 0"),
    ("nul\0".encode("utf-16"), "not UTF-16 text: it has a NUL character"),
]


@pytest.mark.parametrize(("content", "message"), BAD)
def test_bad_content(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(RunError, match=message):
        read_text(path)


def test_missing_folder_and_device(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such file"):
        read_text(tmp_path / "missing")
    with pytest.raises(RunError, match="is a folder"):
        read_text(tmp_path)
    if Path("/dev/zero").exists():
        with pytest.raises(RunError, match="is a device"):
            read_text(Path("/dev/zero"))


def test_not_permitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_text("text")

    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(RunError, match="cannot be read: Permission denied"):
        read_text(path)


def test_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes("\ufeffa\r\nb\rc\n".encode())
    assert read_text(path) == "a\nb\nc\n"


def test_several_files_are_one_text(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    (tmp_path / "two").write_text("2\n")
    assert read_texts([tmp_path / name for name in ("one", "two", "one")]) == "1\n2\n1"


@given(st.text(alphabet="ab \n", min_size=2, max_size=200))
def test_a_split_loses_nothing(text: str) -> None:
    train, valid = split_text(text)
    assert train + valid == text
    assert valid


def test_a_split_is_at_a_line_end_and_near_the_fraction() -> None:
    train, valid = split_text("a line of text\n" * 1000)
    assert train.endswith("\n")
    assert 0.08 < len(valid) / 15000 <= 0.1
    assert split_text("x" * 100) == ("x" * 90, "x" * 10)


PIECES = ["a", "\n", "\r", "\r\n", "é", "€", "\U0001f600", "\ufeff", " ", "line\n"]


@pytest.fixture(params=[1, 2, 3, 7])
def small_parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and texts are read a few bytes at a time."""
    monkeypatch.setattr(reading, "PART", request.param)


@pytest.mark.usefixtures("small_parts")
def test_parts_are_the_whole_text(tmp_path: Path) -> None:
    """A character, a line end and a byte order mark may be cut between two parts."""

    @given(st.lists(st.sampled_from(PIECES)).map("".join).map(lambda text: "x" + text))
    def check(text: str) -> None:
        (tmp_path / "file").write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert read_text(tmp_path / "file") == text.replace("\r\n", "\n").replace("\r", "\n")
        assert utf8(read_text(tmp_path / "file", "byte")) == b"\xef\xbb\xbf" + text.encode()
        assert "".join(TextInMemory(text).parts()) == text

    check()


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(("content", "message"), BAD)
def test_places_of_errors_do_not_depend_on_parts(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(RunError, match=message):
        read_text(tmp_path / "file")


@pytest.mark.usefixtures("small_parts")
def test_bytes_of_any_kind_are_read_as_they_are(tmp_path: Path) -> None:
    content = bytes(range(256)) + "\r\ncafé".encode()
    (tmp_path / "file").write_bytes(content)
    assert utf8(read_text(tmp_path / "file", "byte")) == content
    (tmp_path / "file").write_bytes(b" \n")
    assert read_text(tmp_path / "file", "byte") == " \n"
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match="is empty"):
        read_text(tmp_path / "file", "byte")


@pytest.mark.usefixtures("small_parts")
def test_a_section_is_that_of_the_text() -> None:
    @given(st.text(max_size=30), st.integers(0, 40), st.none() | st.integers(0, 40))
    def check(text: str, begin: int, end: int | None) -> None:
        assert "".join(Excerpt(TextInMemory(text), begin, end).parts()) == text[begin:end]

    check()


@pytest.mark.usefixtures("small_parts")
def test_the_place_to_split_does_not_depend_on_parts() -> None:
    @given(st.text(alphabet="ab \n", min_size=2, max_size=200))
    def check(text: str) -> None:
        cut = len(text) - max(1, round(len(text) * 0.1))
        near = cut + (len(text) - cut) // 2
        ends = [text.find(separator, cut, near) for separator in "\n "]
        expected = next((end + 1 for end in ends if end >= 0), cut)
        assert place_to_split(TextInMemory(text), len(text)) == expected

    check()


def test_a_pipe_is_read(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"text\n")
    os.close(writer)
    try:
        assert read_text(Path(f"/dev/fd/{reader}")) == "text\n"
    finally:
        os.close(reader)


def test_files_are_parts_of_one_text(tmp_path: Path) -> None:
    for name, text in (("a", "1"), ("b", "2\n"), ("c", "3")):
        (tmp_path / name).write_text(text)
    files = TextFiles([tmp_path / name for name in "abca"], "char")
    assert "".join(files.parts()) == "".join(files.parts()) == "1\n2\n3\n1"
