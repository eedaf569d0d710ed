"""Builds native code from a schedule, for given sizes and a dtype."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import recurra._native as _native
from recurra.compiler import Schedule
from recurra.engines.native.lower import lower
from recurra.program import Products, Sizes, Variable


class Built(NamedTuple):
    """Native code of one pass, for given sizes and a dtype.

    Attributes:
        kernel: the code.
        output_widths: features of each row result.
        result_shapes: the shape of each constant result.
    """

    kernel: _native.Kernel
    output_widths: tuple[int, ...]
    result_shapes: tuple[tuple[int, ...], ...]


def build(
    schedule: Schedule, sizes: Sizes, double: bool, entering: Mapping[Variable, int] | None, products: Products
) -> Built:
    """Lower a schedule and build its native code.

    Args:
        schedule: the schedule.
        sizes: the numbers of its symbols.
        double: whether it computes in float64; otherwise float32.
        entering: for ``lower``; None of a forward pass.
        products: the operands of products.
    """
    lanes = _native.lanes() // (2 if double else 1)
    code = lower(schedule, sizes, lanes, opposite=entering is not None, entering=entering)
    shapes = tuple(tuple(size.value(sizes) for size in v.shape) for v in schedule.constant_results)
    return Built(_native.kernel(code.words(), code.literals, double, products=products), tuple(code.outputs), shapes)
