"""A page is one file that needs no other, with each style and script once."""

from dataclasses import dataclass

import pytest

from recurra.errors import RunError
from recurra.page.document import Document
from recurra.page.parts import Details, Section, Text
from recurra.version import __version__
from tests.page.elements import Elements


@dataclass
class Styled:
    style: object = "i { color: red }\n"
    script: object = "let made = 1;\n"

    def html(self):
        return "<i>drawn</i>\n"


def test_a_page_is_whole():
    html = Document("Loss < 1", [Text(["It fell."])], lead=("Of one run.",)).html()
    page = Elements(html)
    assert html.startswith("<!doctype html>")
    assert [attrs["lang"] for attrs in page.of("html")] == ["en"]
    assert "Loss < 1" in page.text
    for text in ("Of one run.", "It fell.", f"Made by recurra {__version__}."):
        assert text in page.text
    assert len(page.of("main")) == len(page.of("h1")) == 1
    assert not page.of("script")


def test_each_style_and_script_is_there_once_also_of_parts_inside():
    html = Document(
        "x", [Styled(), Section("a", [Details("b", [Styled(), Styled(script=("let other = 2;\n",))])])]
    ).html()
    assert html.count("color: red") == html.count("let made") == html.count("let other") == 1
    assert html.count("<script>") == 1
    assert "{\nlet made = 1;\n}\n{\nlet other = 2;\n}\n" in html


def test_text_is_no_code():
    page = Elements(Document("<script>alert(1)</script>", [Text(["<b>&"])], lead=("<i>",)).html())
    assert not page.of("script") + page.of("b") + page.of("i")
    assert "<script>alert(1)</script>" in page.text


def test_a_page_is_written_whole(tmp_path):
    document = Document("x", [])
    document.write(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == document.html()
    with pytest.raises(RunError, match="cannot be written: No such file"):
        document.write(tmp_path / "missing" / "page.html")
