"""Texts in other encodings: read by name, UTF-16 by its mark, and named in the message where the bytes do not fit."""

from pathlib import Path

import pytest

from recurra.errors import RunError
from recurra.tasks.text import reading
from recurra.tasks.text.encodings import check_encoding
from recurra.tasks.text.reading import read_text, with_line_ends
from recurra.tasks.text.settings import TextSettings


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-be", "utf-8", "latin-1"])
def test_a_named_encoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    text = "Où est « l'été » ?\nà côté\n" * 20
    (tmp_path / "file").write_bytes(text.replace("\n", "\r\n").encode(encoding))
    monkeypatch.setattr(reading, "PART", 7)  # characters and line ends lie across the parts
    assert read_text(tmp_path / "file", encoding=encoding) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_known_by_its_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "file").write_bytes("\ufeffa ∑ b\r\n".encode(encoding))
    assert read_text(tmp_path / "file") == "a ∑ b\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Il était une fois, à côté d'une forêt, un garçon nommé Noël.", "cp1252"),
        ("“Das Mädchen schläft”, sagte er – und grüßte.", "cp1252"),
        ("В лесу родилась ёлочка, в лесу она росла.", "cp1251"),
        ("Мой дядя самых честных правил, когда не в шутку занемог", "koi8-r"),
        ("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。", "shift_jis"),
        ("道可道，非常道。名可名，非常名。无名天地之始；有名万物之母。", "gb18030"),
    ],
)
def test_the_message_names_an_encoding_that_reads_words(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "file").write_bytes(text.encode(encoding))
    with pytest.raises(RunError, match="is not UTF-8 text: byte 0x") as refused:
        read_text(tmp_path / "file")
    assert f"--encoding {encoding} would read" in str(refused.value)
    shown = str(refused.value).partition("would read '")[2].partition("'")[0]
    assert shown[:10] in text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_named(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "file").write_bytes("text and text".encode(encoding))
    with pytest.raises(RunError, match=f"NUL byte at position [01]: --encoding {encoding} would read it"):
        read_text(tmp_path / "file")


def test_nothing_is_suggested_for_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(128, 256)))
    with pytest.raises(RunError, match=r"byte 0x80 at 0$"):
        read_text(tmp_path / "file")


@pytest.mark.parametrize("name", ["klingon", "rot13", "undefined", ""])
def test_no_encoding(name: str) -> None:
    with pytest.raises(RunError, match=f"--encoding {name} is no encoding that Python knows"):
        check_encoding(name)


def test_bytes_are_read_as_they_are() -> None:
    with pytest.raises(RunError, match="--level byte reads files as they are: leave out --encoding"):
        TextSettings(level="byte", encoding="cp1252").check()


def test_line_ends_of_a_text_that_is_no_file() -> None:
    assert with_line_ends("a\r\nb\rc\n", "char") == "a\nb\nc\n"
    assert with_line_ends("a\r\n", "byte") == "a\r\n"
