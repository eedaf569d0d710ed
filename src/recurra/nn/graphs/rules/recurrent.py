"""Recurrent layers: ``recurra::scan``, which recurra's layers and accelerated ones are in an exported program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recurra.compiler.expectation import expectation
from recurra.graph.operators.cell_scan import OWN
from recurra.nn.graphs.table import rule
from recurra.nn.graphs.writer import NodeWriter, Ref
from recurra.program import from_json, to_json


@rule("recurra.scan.default")
def _scan(
    w: NodeWriter, x: Ref, operands: Sequence[Ref], batch_sizes: Ref | None, reset: Ref | None, program: str,
    sizes: Sequence[int], reverse: bool, traced: bool, *_: Any,
) -> Any:  # fmt: skip
    """One layer in one direction, with numbers in place of random masks."""
    if batch_sizes is not None or reset is not None or traced:
        what = "a packed sequence" if batch_sizes is not None else "reset=" if reset is not None else "a trace"
        raise ValueError(f"a recurrent layer with {what} is not supported in a graph")
    settled = expectation(from_json(program))
    states, parameters = len(settled.states), len(settled.parameters)  # masks follow them
    return w.node(
        "CellScan", x, None, *operands[: states + parameters], outputs=1 + states, domain=OWN, program=to_json(settled),
        sizes=tuple(sizes), reverse=int(reverse),
    )  # fmt: skip


@rule("aten.lstm.input", "aten.gru.input", "aten.rnn_tanh.input", "aten.rnn_relu.input")
def _torch_layer(w: NodeWriter, *_: Any) -> Any:
    raise ValueError("a recurrent layer that recurra does not run: recurra.nn.acceleration(module) says why")
