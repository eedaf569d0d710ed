"""Shapes in symbols and numbers side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from recurra.program import Size, Sizes


class Dimension(NamedTuple):
    """One dimension of a shape.

    Attributes:
        symbol: its size in symbols, such as ``4*hidden``.
        number: its size; None where it is not known.
    """

    symbol: str
    number: int | None


NamedShape = tuple[Dimension, ...]


def symbols(shape: NamedShape) -> str:
    """A shape in symbols: ``(batch, 4*hidden)``, or ``scalar``."""
    return _joined(dimension.symbol for dimension in shape)


def numbers(shape: NamedShape) -> str:
    """A shape in numbers: ``(3, 80)``, with the symbol where a number is not known; empty where none is."""
    if shape and all(dimension.number is None for dimension in shape):
        return ""
    return _joined(d.symbol if d.number is None else str(d.number) for d in shape)


def of_sizes(shape: Iterable[Size], sizes: Sizes | None, named: Mapping[str, Size] | None = None) -> NamedShape:
    """The dimensions of a program's shape.

    Args:
        shape: the shape in the program's symbols.
        sizes: the numbers of the symbols; None where they are not known.
        named: symbols to show as others, such as the input of an upper layer as ``2*hidden``. Default: none.
    """
    return tuple(
        Dimension(str(size.substitute(named or {})), None if sizes is None else size.value(sizes)) for size in shape
    )


def _joined(texts: Iterable[str]) -> str:
    """A shape as Python writes a tuple; ``scalar`` without dimensions."""
    listed = list(texts)
    if not listed:
        return "scalar"
    return f"({listed[0]},)" if len(listed) == 1 else f"({', '.join(listed)})"
