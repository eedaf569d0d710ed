"""The width of what recurrent layers return, which is not that of their states for every cell."""

from __future__ import annotations

from recurra import cells
from recurra.compiler import trace
from recurra.program import Sizes


def output_width(cell: str, input_size: int, hidden_size: int, layers: int = 1) -> int:
    """Return the number of features of a stack's output, for a cell of the zoo by name, before the stack is made."""
    size = trace(cells.all()[cell]).output.shape[0]
    for _ in range(layers):
        input_size = size.value(Sizes(input_size, hidden_size))
    return input_size
