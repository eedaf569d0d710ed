"""Lines of a cell's source, drawn for messages with marks under the part that is meant."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Iterator
from itertools import islice
from types import CodeType, FrameType
from typing import Any, NamedTuple


class SourceLine(NamedTuple):
    """A line of a cell's source.

    Attributes:
        file: the path of the file.
        line: its number.
        text: the line without its indentation; empty where the source is not there.
        begin: the column in ``text`` at which the meant part begins.
        end: the column at which it ends; equal to ``begin`` where the part is not known, as in Python 3.10.
    """

    file: str
    line: int
    text: str
    begin: int = 0
    end: int = 0

    @property
    def name(self) -> str:
        """The file's name and the line's number."""
        from pathlib import Path  # late: only messages need it, and it takes a tenth of recurra's import time

        return f"{Path(self.file).name}:{self.line}"

    def __str__(self) -> str:
        return self.name + (f": `{self.text}`" if self.text else "")

    @property
    def drawing(self) -> str:
        """The line, and below it a caret under the operator and tildes under its operands; empty without source."""
        if not self.text:
            return ""
        if self.end <= self.begin:
            return self.text
        marks = ["^"] * (self.end - self.begin)
        operator = _operator(self.text[self.begin : self.end])
        if operator is not None:
            marks = ["^" if operator[0] <= column < operator[1] else "~" for column in range(len(marks))]
        return f"{self.text}\n{' ' * self.begin}{''.join(marks)}"


def running_line(frame: FrameType) -> SourceLine:
    """The line that a frame runs, with the expression that it computes."""
    line, file = frame.f_lineno, frame.f_code.co_filename
    whole = linecache.getline(file, line, frame.f_globals)
    text = whole.strip()
    begin, end = _columns(frame, line, whole.rstrip())
    indentation = len(whole) - len(whole.lstrip())
    return SourceLine(file, line, text, max(0, begin - indentation), max(0, end - indentation))


def first_line(code: CodeType) -> SourceLine:
    """The line that a function starts on, below its decorators."""
    file = code.co_filename
    first = line = code.co_firstlineno
    while linecache.getline(file, line).lstrip().startswith("@"):
        line += 1
    text = linecache.getline(file, line).strip()
    return SourceLine(file, line if text else first, text)


def _columns(frame: FrameType, line: int, text: str) -> tuple[int, int]:
    """The columns of the running expression in its first line; equal ones where Python does not tell them."""
    positions = positions_of(frame.f_code)
    if positions is None:
        return 0, 0
    first, last, begin, end = next(islice(positions, frame.f_lasti // 2, None), (None,) * 4)
    if first != line or begin is None or end is None:
        return 0, 0
    in_bytes = text.encode()
    begin = len(in_bytes[:begin].decode(errors="ignore"))
    return begin, len(in_bytes[:end].decode(errors="ignore")) if last == first else len(text)


def positions_of(code: CodeType) -> Iterator[tuple[int | None, int | None, int | None, int | None]] | None:
    """First and last line, first and last column of each instruction; None before Python 3.11."""
    positions: Callable[[], Iterator[Any]] | None = getattr(code, "co_positions", None)
    return None if positions is None else positions()


def _operator(expression: str) -> tuple[int, int] | None:
    """The columns of the operator of an expression such as ``x @ W``; None for anything else."""
    try:
        tree = ast.parse(f"({expression})", mode="eval").body
    except (SyntaxError, ValueError):
        return None
    if not isinstance(tree, ast.BinOp) or tree.left.end_col_offset is None or tree.lineno != tree.end_lineno:
        return None
    in_bytes = expression.encode()
    between = in_bytes[tree.left.end_col_offset - 1 : tree.right.col_offset - 1].decode(errors="ignore")
    before = len(in_bytes[: tree.left.end_col_offset - 1].decode(errors="ignore"))
    operator = between.strip(" ()\\")
    at = before + between.index(operator) if operator else before
    return (at, at + len(operator)) if operator else None
