"""The table of kinds in ONNX: the function that writes each kind of part to a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from recurra.model.kinds import KINDS, kinds_of
from recurra.onnx.exporting.programs import WrittenProgram, on_rows
from recurra.onnx.exporting.recurrent import write_cell, write_layer
from recurra.onnx.exporting.scope import Scope, Written
from recurra.program import Sizes

PartWriter = Callable[[Scope], Written]


def _stateless(write: Callable[[Scope], str]) -> PartWriter:
    """The writer of a part that computes each row on its own."""

    def written(scope: Scope) -> Written:
        with scope.part_of_graph("", ""):
            return Written(write(scope))

    return written


def _program(scope: Scope) -> str:
    make_program = KINDS[scope.part.kind].program
    assert make_program is not None
    program = make_program(scope.part, scope.graph.store.dtype)
    # None of these programs needs a size.
    written = WrittenProgram(program, Sizes(0, 0), [scope.weight(parameter.name) for parameter in program.parameters])
    return on_rows(scope.graph, scope.sequences.own_rows, written, scope.x)[0]


def _embedding(scope: Scope) -> str:
    return scope.graph.node("Gather", scope.weight("weight").name, scope.x, axis=0)


# ---- parts that ONNX has an operator for ----


def _layer_norm(scope: Scope) -> str:
    part, graph = scope.part, scope.graph
    if not graph.is_single:  # the operator takes eps as a float32
        return _program(scope)
    if part.flag("elementwise_affine"):
        affine = [scope.weight(name).name for name in ("weight", "bias")[: 1 + part.flag("bias")]]
    else:
        affine = [graph.weight("ones", np.ones(part.size("features"), graph.store.dtype))]
    return graph.node("LayerNormalization", scope.x, *affine, axis=-1, epsilon=part.number("eps"))


def _softmax(scope: Scope) -> str:
    return scope.graph.node(scope.part.kind, scope.x, axis=-1)


def _last_step(scope: Scope) -> str:
    graph, sequences, whole = scope.graph, scope.sequences, scope.graph.whole
    first = graph.node("Gather", scope.x, graph.index(0), axis=0)
    if sequences.lengths is None:
        last = graph.node("Gather", scope.x, graph.index(-1), axis=0)
    else:
        number = graph.node("Max", graph.node("Sub", sequences.lengths, graph.index(1)), graph.index(0))
        by_batch = graph.node("Transpose", scope.x, perm=[1, 0, 2])
        last = graph.node("GatherND", by_batch, graph.node("Unsqueeze", number, whole(1)), batch_dims=1)
        last = graph.node("Where", sequences.filled, last, graph.number(0.0))
    if not scope.part.flag("bidirectional"):
        return last
    size = graph.node("Shape", last, start=1, end=2)
    half = graph.node("Div", size, whole(2))
    forward = graph.node("Slice", last, whole(0), half, whole(1))
    backward = graph.node("Slice", first, half, size, whole(1))
    return graph.node("Concat", forward, backward, axis=1)


WRITERS: Mapping[str, PartWriter] = {
    **dict.fromkeys(kinds_of("layer"), write_layer),
    **dict.fromkeys(kinds_of("cell"), write_cell),
    **dict.fromkeys(kinds_of("rows"), _stateless(_program)),
    **dict.fromkeys(kinds_of("table"), _stateless(_embedding)),
    **dict.fromkeys(kinds_of("last"), _stateless(_last_step)),
    "LayerNorm": _stateless(_layer_norm),
    "Softmax": _stateless(_softmax),
    "LogSoftmax": _stateless(_softmax),
}
