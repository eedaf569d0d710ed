"""The operations that only gradients need: backward schedules contain them, programs never do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from recurra.program import Equation


class AdjointOperation(NamedTuple):
    """An operation that only gradients need; programs, which users and files may hold, never contain it.

    Attributes:
        name: its name in schedules.
        operands: the number of operands.
        meaning: the result, in words.
        sums_rows: whether it adds up all rows, so that its result is a constant.
    """

    name: str
    operands: int
    meaning: str
    sums_rows: bool = False


ADJOINT_OPERATIONS: Mapping[str, AdjointOperation] = {
    row.name: row
    for row in (
        AdjointOperation(
            "outer",
            2,
            "the sum over all rows of aᵀb: rows (k) and (n) give (k, n); rows (heads, k) and (heads*c) give "
            "(heads, k, c), head by head",
            sums_rows=True,
        ),
        AdjointOperation("rows_sum", 1, "the sum over all rows, of the same shape", sums_rows=True),
        AdjointOperation("outer_constant", 2, "aᵀb of two constants, (k) and (n), as (k, n)"),
        AdjointOperation("expand", 1, "a scalar or a number in every element of the result's shape"),
        AdjointOperation("total", 1, "the sum over all elements of one value, of each row's if it varies: a scalar"),
        AdjointOperation("reverse_cumsum", 1, "the running sum from the last feature to the first"),
        AdjointOperation("flatten", 1, "(heads, k) as (heads*k), head after head"),
    )
}


def sums_rows(equation: Equation) -> bool:
    """Whether an equation adds up all rows, so that its result is a constant."""
    row = ADJOINT_OPERATIONS.get(equation.operation)
    return row is not None and row.sums_rows
