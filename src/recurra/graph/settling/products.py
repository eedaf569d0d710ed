"""Products with matrices that never change, as programs of the engine; others are numpy's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from recurra.compiler import trace
from recurra.graph import cells
from recurra.graph.settling.node import SettlingNode, is_float, settler
from recurra.graph.table import Array
from recurra.packed.packed_program import PackedProgram
from recurra.program import Sizes


def _product(node: SettlingNode, a: Array, matrix: Array, bias: Array | None, shape: tuple[int, ...]) -> list[Array]:
    """The steps of a @ matrix + bias, with packed weights that the node remembers."""
    key = "biased" if bias is not None else "product"
    program = node.step.remembered.get(key)
    if program is None:
        cell = cells.linear if bias is not None else cells.product
        parameters = [matrix] if bias is None else [matrix, bias]
        program = PackedProgram(trace(cell), parameters, Sizes(*matrix.shape))
        node.step.remembered[key] = program
    rows = math.prod(a.shape[:-1])
    y = node.array(shape, a.dtype)
    given = node.contiguous(a).reshape(1, rows, a.shape[-1])
    node.runs.append(program.repeated(given, (), y.reshape(1, rows, matrix.shape[1]), ()))
    return [y]


@settler("MatMul")
def matmul(node: SettlingNode) -> Sequence[Array] | None:
    """A product; with a known matrix on the right, a vector that is added next joins it."""
    a, b = node.input(0), node.input(1)
    if a is None or b is None or not is_float(a, b):
        return None
    matrix = node.known(1)
    if matrix is not None and matrix.ndim == 2 and a.ndim > 1 and a.shape[-1] == matrix.shape[0]:
        return _product(node, a, matrix, _with_bias(node, matrix), (*a.shape[:-1], matrix.shape[1]))
    if min(a.ndim, b.ndim) < 2 or a.shape[-1] != b.shape[-2]:
        return None
    y = node.array((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]), a.dtype)
    node.runs.append(partial(np.matmul, a, b, y))
    return [y]


def _with_bias(node: SettlingNode, matrix: Array) -> Array | None:
    """The known vector that the next node adds, if it does."""
    found = node.next()
    if found is None or found[0].operator != "Add":
        return None
    others = [each for each in found[1] if each is not None]
    if len(others) != 1 or others[0].shape != matrix.shape[1:] or others[0].dtype != matrix.dtype:
        return None
    node.take(found[0])
    return others[0]


@settler("Gemm")
def gemm(node: SettlingNode) -> Sequence[Array] | None:
    """a @ matrix + bias, with a known matrix and no bias or a known vector."""
    a, matrix, bias = node.input(0), node.known(1), node.known(2)
    read = node.attribute
    if a is None or not is_float(a, matrix) or a.ndim != 2 or not node.are_known((2,)) or read("transA", 0):
        return None
    if matrix is None or matrix.ndim != 2 or read("alpha", 1.0) != 1 or read("beta", 1.0) != 1:
        return None
    matrix = matrix.T if read("transB", 0) else matrix
    if a.shape[1] != matrix.shape[0] or (
        bias is not None and (bias.shape != matrix.shape[1:] or bias.dtype != a.dtype)
    ):
        return None
    return _product(node, a, matrix, bias, (a.shape[0], matrix.shape[1]))
