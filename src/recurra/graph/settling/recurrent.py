"""RNN, GRU, LSTM and CellScan nodes as repeated runs of the engine, over arrays that stay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.engines.steps import Quanta
from recurra.graph.operators.cell_scan import CellScanFunction
from recurra.graph.operators.quantized_recurrent import QuantizedFunction, input_size
from recurra.graph.operators.recurrent import RecurrentFunction
from recurra.graph.settling.converting import floats_of
from recurra.graph.settling.node import SettlingNode, is_float, settler
from recurra.graph.table import Array


@settler("RNN", "GRU", "LSTM", "DynamicQuantizeLSTM")
def recurrent(node: SettlingNode) -> Sequence[Array] | None:
    """A layer with known weights over sequences that all have all steps; each direction writes its part of Y."""
    function, x, lens = node.step.function, node.input(0), node.known(4)
    if not isinstance(function, RecurrentFunction) or function.programs is None or not node.are_known((4,)):
        return None
    if x is None or not is_float(x) or x.ndim != 3 or function.programs[0].parameters[0].dtype != x.dtype:
        return None
    layer, programs = function.layer, function.programs
    rows = x.swapaxes(0, 1) if layer.is_batch_first else x
    steps, batch, _ = rows.shape
    is_quantized = isinstance(function, QuantizedFunction)
    if x.shape[2] != (input_size(programs) if is_quantized else programs[0].input_size) or (
        lens is not None and not (lens == steps).all()
    ):
        return None
    count, hidden = len(layer.cell.states), programs[0].output_size
    leading = (batch, len(programs)) if layer.is_batch_first else (len(programs), batch)
    given = [node.input(5 + number) for number in range(count)]
    if any(each is not None and (each.shape != (*leading, hidden) or each.dtype != x.dtype) for each in given):
        return None
    if is_quantized:
        rows = _rounded(node, rows, programs[0].input_size)
    elif rows.strides[2] != rows.itemsize:
        rows = node.contiguous(rows)
    whole = (batch, steps, len(programs), hidden) if layer.is_batch_first else (steps, len(programs), batch, hidden)
    y = node.array(whole, x.dtype)
    last = [node.array((*leading, hidden), x.dtype) for _ in range(count)]
    zeros = np.zeros((*leading, hidden), x.dtype)
    firsts = [zeros if each is None else node.contiguous(each) for each in given]
    direction = (slice(None), 0) if layer.is_batch_first else (0,)
    for number, program in enumerate(programs):
        direction = (slice(None), number) if layer.is_batch_first else (number,)
        output = y[:, :, number].swapaxes(0, 1) if layer.is_batch_first else y[:, number]
        states, ends = ([each[direction] for each in group] for group in (firsts, last))
        node.runs.append(program.repeated(rows, states, output, ends))
    return [y, *last][: len(node.step.outputs)]


def _rounded(node: SettlingNode, x: Array, width: int) -> Array:
    """The numbers that x's quantized ones stand for, by its own range, for this node's steps.

    Where the width is larger, the features behind x's hold the least and the largest of these numbers that can be.
    """
    quanta = Quanta(node.passing(x.shape, np.uint8), node.passing((), np.float32), node.passing((), np.uint8))
    node.runs.append(node.maker.dynamic_quantization(node.contiguous(x), quanta.numbers, quanta.scale, quanta.zero))
    floats = floats_of(node, quanta)
    if x.shape[2] == width:
        return floats
    bounds = floats_of(node, Quanta(np.array((0, 255), np.uint8), quanta.scale, quanta.zero))
    rows = node.passing((*x.shape[:2], width), np.float32)
    for source, target in ((floats, rows[..., : x.shape[2]]), (bounds, rows[..., x.shape[2] :])):
        node.runs.append(node.maker.copy(np.broadcast_to(source, target.shape), target))
    return rows


@settler("CellScan")
def cell_scan(node: SettlingNode) -> Sequence[Array] | None:
    """A cell with known weights over sequences that all have all steps."""
    function, x = node.step.function, node.input(0)
    if not isinstance(function, CellScanFunction) or function.packed is None or node.input(1) is not None:
        return None
    packed = function.packed
    if x is None or not is_float(x) or x.ndim != 3 or x.shape[2] != packed.input_size:
        return None
    if packed.parameters and packed.parameters[0].dtype != x.dtype:
        return None
    shapes = [(x.shape[1], size) for size in packed.state_sizes]
    states = [node.input(2 + number) for number in range(len(shapes))]
    if any(s is None or s.shape != shape or s.dtype != x.dtype for s, shape in zip(states, shapes, strict=True)):
        return None
    rows = x if x.strides[2] == x.itemsize else node.contiguous(x)
    firsts = [node.contiguous(state) for state in states if state is not None]
    output = node.array((*x.shape[:2], packed.output_size), x.dtype)
    last = [node.array(shape, x.dtype) for shape in shapes]
    node.runs.append(packed.repeated(rows, firsts, output, last))
    return [output, *last][: len(node.step.outputs)]
