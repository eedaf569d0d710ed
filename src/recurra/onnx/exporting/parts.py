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


WRITERS: Mapping[str, PartWriter] = {
    **dict.fromkeys(kinds_of("layer"), write_layer),
    **dict.fromkeys(kinds_of("cell"), write_cell),
    **dict.fromkeys(kinds_of("rows"), _stateless(_program)),
    **dict.fromkeys(kinds_of("table"), _stateless(_embedding)),
    "LayerNorm": _stateless(_layer_norm),
    "Softmax": _stateless(_softmax),
    "LogSoftmax": _stateless(_softmax),
}
