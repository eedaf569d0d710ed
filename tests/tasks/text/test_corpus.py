"""Bad texts lead to one clear error each, and the two parts of a split make up the whole."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RunError
from recurra.tasks.text.corpus import DEFAULT_MODULES, default_corpus, read_text, read_texts, split_text

BAD = [
    (b"", "is empty"),
    (b" \n\n", "white space"),
    (b"\x7fELF\0\0", "NUL byte at position 4"),
    (b"caf\xe9 au lait", "not UTF-8 text: byte 0xe9 at 3"),
    ("text".encode("utf-16"), "NUL byte"),
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

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
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


def test_default_corpus_is_fixed() -> None:
    assert list(DEFAULT_MODULES) == sorted(set(DEFAULT_MODULES))
    text = default_corpus()
    assert text == default_corpus()
    assert 300_000 < len(text) < 2_000_000
    assert text.startswith("# Author:") or "class ArgumentParser" in text
