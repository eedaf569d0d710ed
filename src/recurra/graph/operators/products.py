"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.graph.operators.limits import check_dtypes, check_onto, checked_shape, is_small
from recurra.graph.table import Array, operator


@operator("MatMul")
def matmul(a: Array, b: Array) -> Array:
    """The product of matrices, or of stacks of them, which broadcast; a vector is a row on the left, else a column."""
    check_dtypes(a, b)
    if not is_small((a, b)) and min(a.ndim, b.ndim) > 1:
        checked_shape((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]), a.dtype)
    return np.matmul(a, b)


@operator("Gemm")
def gemm(
    a: Array,
    b: Array,
    c: Array | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Array:
    """alpha·a·b + beta·c, with a or b transposed if asked for."""
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"two matrices are needed, not {a.ndim} and {b.ndim} dimensions")
    product = matmul(a.T if transA else a, b.T if transB else b)
    if alpha != 1:
        product = alpha * product
    if c is not None:
        check_dtypes(a, c)
        check_onto(product.shape, c)
        product = product + (c if beta == 1 else beta * c)
    return product.astype(a.dtype)


@operator("Einsum")
def einsum(*arrays: Array, equation: str) -> Array:
    """A sum of products in Einstein's notation."""
    check_dtypes(*arrays)
    if not is_small(arrays):
        checked_shape(_einsum_shape(equation.replace(" ", ""), arrays), arrays[0].dtype)
    return np.einsum(equation, *arrays)


def _einsum_shape(equation: str, arrays: Sequence[Array]) -> tuple[int, ...]:
    """The shape of an equation's result."""
    terms, arrow, result = equation.partition("->")
    sizes: dict[str, int] = {}
    others: tuple[int, ...] = ()  # the sizes that "..." stands for
    for term, array in zip(terms.split(","), arrays, strict=True):
        before, _, after = term.partition("...")
        end = array.ndim - len(after)
        named = zip(before + after, (*array.shape[: len(before)], *array.shape[end:]), strict="..." in term)
        for letter, size in named:
            sizes[letter] = max(size, sizes.get(letter, 1))
        others = np.broadcast_shapes(others, array.shape[len(before) : end]) if "..." in term else others
    if not arrow:
        result = "..." + "".join(letter for letter in sorted(sizes) if terms.count(letter) == 1)
    kept = others if "..." in result else ()
    return (*kept, *(sizes[letter] for letter in result.replace("...", "")))
