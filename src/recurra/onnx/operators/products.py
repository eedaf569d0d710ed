"""Operators that are matrix products."""

from __future__ import annotations

import numpy as np

from recurra.onnx.table import Array, functions, operator

functions(MatMul=np.matmul)


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
    """alpha·a·b + beta·c, of a and b transposed where that is asked for."""
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"two matrices are needed, not {a.ndim} and {b.ndim} dimensions")
    product = np.matmul(a.T if transA else a, b.T if transB else b)
    if alpha != 1:
        product = alpha * product
    if c is not None:
        product = product + (c if beta == 1 else beta * c)
    return product.astype(a.dtype)


@operator("Einsum")
def einsum(*arrays: Array, equation: str) -> Array:
    """A sum over products in Einstein's notation."""
    return np.einsum(equation, *arrays)
