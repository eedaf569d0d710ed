"""Reductions along axes, and softmax over the last features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from recurra.compiler import trace
from recurra.graph import cells
from recurra.graph.operators.shaping import axes_of, axis_of
from recurra.graph.settling.node import SettlingNode, is_float, settler
from recurra.graph.table import Array
from recurra.packed.packed_program import PackedProgram
from recurra.program import Sizes

_FUNCTIONS = {"ReduceSum": np.add, "ReduceMax": np.maximum, "ReduceMin": np.minimum}


@settler(*_FUNCTIONS)
def reduction(node: SettlingNode) -> Sequence[Array] | None:
    """A sum, maximum or minimum along axes, by numpy into an array that stays."""
    x = node.input(0)
    given = node.attribute("axes") if len(node.inputs) < 2 else node.known(1)
    if x is None or not is_float(x) or not node.are_known((1,)) or given is None or np.size(given) == 0:
        return None
    axes, keeps = axes_of(given, x.ndim), bool(node.attribute("keepdims", 1))
    sizes = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    y = node.array(tuple(sizes), x.dtype)
    shown = y if keeps else y.reshape([size for axis, size in enumerate(x.shape) if axis not in axes])
    node.runs.append(partial(_FUNCTIONS[node.operator].reduce, x, axes, None, y, True))
    return [shown]


@settler("Softmax")
def softmax(node: SettlingNode) -> Sequence[Array] | None:
    """Softmax over an axis with nothing but sizes of 1 behind it, by a program of the engine."""
    x, axis = node.input(0), node.attribute("axis", -1)
    # Before opset 13 the default is another, and all dimensions from the axis on are one: the same in these cases.
    if x is None or not is_float(x) or not ("axis" in node.step.attributes or x.ndim == 2):
        return None
    place = axis_of(axis, x.ndim)
    if math.prod(x.shape[place + 1 :]) != 1:
        return None
    y = node.array(x.shape, x.dtype)
    softmax_step(node, node.contiguous(x), y, x.shape[place])
    return [y]


def softmax_step(node: SettlingNode, x: Array, y: Array, size: int) -> None:
    """Add the step that writes softmax over the last elements of x, contiguous, to y."""
    key = f"softmax {size}"
    program = node.step.remembered.get(key)
    if program is None:
        program = node.step.remembered[key] = PackedProgram(trace(cells.softmax_of), [], Sizes(size, size))
    rows = (1, x.size // size, size)
    node.runs.append(program.repeated(x.reshape(rows), (), y.reshape(rows), ()))
