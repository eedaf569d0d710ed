"""Words of the instructions that move columns: split, concatenate, the same for heads, and transpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from recurra.engines.native.code import CodeValue


def moves(results: Sequence[CodeValue], sources: Sequence[CodeValue]) -> list[int]:
    """The words of a move that concatenates the sources, or splits the only source into the results."""
    words = []
    at = 0
    for value in results if len(sources) == 1 else sources:
        whole, start = (sources[0], at) if len(sources) == 1 else (results[0], 0)
        if len(sources) == 1:
            words += [value.number, whole.number, 0, start, value.width, 1]
        else:
            words += [whole.number, value.number, at, 0, value.width, 1]
        at += value.width
    return [len(words) // 6, *words]


class Piece(NamedTuple):
    """Columns of a value: ``width`` of them, from column ``start`` on."""

    value: CodeValue
    start: int
    width: int


def moves_of_pieces(results: Sequence[CodeValue], pieces: Sequence[Piece]) -> list[int]:
    """The words of a move that puts pieces side by side in the only result, or each into its own result."""
    words = []
    at = 0
    for number, (value, start, width) in enumerate(pieces):
        words += [results[number if len(results) > 1 else 0].number, value.number, at, start, width, 1]
        at += width if len(results) == 1 else 0
    return [len(pieces), *words]


def moves_of_heads(results: Sequence[CodeValue], sources: Sequence[CodeValue], heads: int) -> list[int]:
    """The words of the same move for values of several heads, each of which is split or concatenated."""
    words = []
    at = 0
    for value in results if len(sources) == 1 else sources:
        width = value.width // heads
        whole = (sources[0] if len(sources) == 1 else results[0]).width // heads
        for head in range(heads):
            if len(sources) == 1:
                words += [value.number, sources[0].number, head * width, head * whole + at, width, 1]
            else:
                words += [results[0].number, value.number, head * whole + at, head * width, width, 1]
        at += width
    return [len(words) // 6, *words]


def moves_of_transpose(result: CodeValue, source: CodeValue, rows: int, columns: int) -> list[int]:
    """The words of a move that transposes the matrix (rows, columns) in each row of a run."""
    words = []
    for column in range(columns):
        words += [result.number, source.number, column * rows, column, rows, columns]
    return [columns, *words]
