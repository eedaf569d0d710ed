"""Lines of sources as messages draw them: marks stand under the part that is meant."""

import functools
import sys

import pytest

from recurra.source_lines import SourceLine, first_line, running_line


def drawn(text, part):
    begin = text.index(part)
    return SourceLine("cells.py", 3, text, begin, begin + len(part)).drawing


@pytest.mark.parametrize(
    ("text", "part", "marks"),
    [
        ("h = tanh(x @ W + b)", "x @ W", "         ~~^~~"),
        ("h = (x) ** 2 * h", "(x) ** 2", "    ~~~~^^~~"),
        ("ä = (öl + h) * h", "(öl + h) * h", "    ~~~~~~~~~^~~"),
        ("h = f(x) - g(1)", "f(x) - g(1)", "    ~~~~~^~~~~~"),
        ("if z > 0:", "z > 0", "   ^^^^^"),
        ("y = split(x, 2)", "split(x, 2)", "    ^^^^^^^^^^^"),
        ("h = (x +", "(x +", "    ^^^^"),
    ],
)
def test_a_caret_stands_under_the_operator(text, part, marks):
    assert drawn(text, part) == f"{text}\n{marks}"


def test_a_line_whose_part_is_not_known_has_no_marks():
    """As in Python 3.10, and for the first line of a function."""
    assert SourceLine("cells.py", 3, "h = x @ W").drawing == "h = x @ W"
    assert SourceLine("cells.py", 3, "").drawing == ""
    assert str(SourceLine("a/cells.py", 3, "h = x @ W")) == "cells.py:3: `h = x @ W`"


@pytest.mark.parametrize("has_columns", [False, True])
def test_the_running_line(monkeypatch, has_columns):
    def here():
        übrig = running_line(sys._getframe())
        return übrig

    if not has_columns:
        monkeypatch.setattr("recurra.source_lines.positions_of", lambda code: None)
    line = here()
    assert line.text.startswith("übrig = running_line(")
    is_marked = has_columns and sys.version_info >= (3, 11)
    assert line.text[line.begin : line.end] == ("running_line(sys._getframe())" if is_marked else "")


def test_the_first_line_stands_below_decorators():
    @functools.lru_cache
    @functools.lru_cache
    def decorated():
        """Nothing."""

    assert first_line(decorated.__wrapped__.__wrapped__.__code__).text == "def decorated():"
