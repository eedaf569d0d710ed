"""Recurrent layers: ``recurra::scan``, which recurra's layers and accelerated ones are in an exported program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from recurra.compiler.expectation import expectation
from recurra.compiler.resets import with_marks_in_input
from recurra.graph.operators.cell_scan import OWN
from recurra.nn.graphs.table import rule
from recurra.nn.graphs.writer import NodeWriter, Ref, onnx_dtype
from recurra.program import Sizes, from_json, to_json


@rule("recurra.scan.default")
def _scan(
    w: NodeWriter, x: Ref, operands: Sequence[Ref], batch_sizes: Ref | None, reset: Ref | None, program: str,
    sizes: Sequence[int], reverse: bool, traced: bool, *_: Any,
) -> Any:  # fmt: skip
    """One layer in one direction, with numbers in place of random masks."""
    if traced:
        raise ValueError("a recurrent layer with a trace is not supported in a graph")
    settled = expectation(from_json(program))
    states, parameters = len(settled.states), len(settled.parameters)  # masks follow them
    steps, lengths = (
        (x, None) if batch_sizes is None else _unpacked(w, x, batch_sizes, settled.input.width(Sizes(*sizes)))
    )
    if reset is not None:
        marks = w.node("Cast", reset, to=onnx_dtype(x.dtype))
        if batch_sizes is None:
            marks = w.node("Unsqueeze", marks, w.ints(-1))
        else:
            marks = w.node("Reshape", marks, w.node("Concat", w.node("Shape", batch_sizes), w.ints(-1, 1), axis=0))
        steps, settled = w.node("Concat", steps, marks, axis=2), with_marks_in_input(settled)
    output, *last = w.node(
        "CellScan", steps, lengths, *operands[: states + parameters], outputs=1 + states, domain=OWN,
        program=to_json(settled), sizes=tuple(sizes), reverse=int(reverse),
    )  # fmt: skip
    if batch_sizes is not None:
        output = w.node("Reshape", output, w.ints(-1, settled.output.width(Sizes(*sizes))))
    return (output, *last)


def _unpacked(w: NodeWriter, x: Ref, batch_sizes: Ref, features: int) -> tuple[Any, Any]:
    """The rows of all steps (steps * batch, features) as (steps, batch, features), and the lengths (batch,)."""
    steps = w.node("Shape", batch_sizes)
    rows = w.node("Reshape", x, w.node("Concat", steps, w.ints(-1, features), axis=0))
    count = w.node("Gather", w.node("Shape", rows), w.number(1, torch.int64), axis=0)
    numbers = w.node("Range", w.number(0, torch.int64), count, w.number(1, torch.int64))
    is_inside = w.node("Greater", w.node("Unsqueeze", batch_sizes, w.ints(1)), numbers)
    lengths = w.node("ReduceSum", w.node("Cast", is_inside, to=onnx_dtype(torch.int64)), w.ints(0), keepdims=0)
    return rows, lengths


@rule("aten.lstm.input", "aten.gru.input", "aten.rnn_tanh.input", "aten.rnn_relu.input")
def _torch_layer(w: NodeWriter, *_: Any) -> Any:
    raise ValueError("a recurrent layer that recurra does not run: recurra.nn.acceleration(module) says why")
