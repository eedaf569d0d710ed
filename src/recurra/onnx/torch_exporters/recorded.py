"""A recorded call of ``recurra::scan``, and the nodes that are written for it, as both exporters of torch need them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import GraphProto, helper

from recurra.compiler.expectation import expectation
from recurra.errors import OnnxError
from recurra.onnx.exporting.graph import GraphWriter, Store
from recurra.onnx.exporting.scan_call import ScanCall, write_call
from recurra.program import Program, Sizes, from_json

_DTYPES: dict[str, np.dtype[Any]] = {name: np.dtype(name) for name in ("float32", "float64")}


@dataclass(frozen=True)
class RecordedScan:
    """The constants of a recorded call: what the operator is told beside tensors.

    Attributes:
        program: the program.
        sizes: the numbers of its symbols.
        reverse: whether the last step comes first.
    """

    program: Program
    sizes: Sizes
    reverse: bool

    @staticmethod
    def of(text: str, sizes: Sequence[int], reverse: bool, traced: bool, wanted: Sequence[int]) -> RecordedScan:
        """The constants of a call.

        Args:
            text: the program as JSON.
            sizes: the numbers of its symbols.
            reverse: whether the last step comes first.
            traced: whether every named variable is returned.
            wanted: for each operand, 1 if its gradient will be wanted, else 0.

        Raises:
            OnnxError: the call returns a trace, or was recorded in training.
        """
        program = from_json(text)
        if traced:
            raise OnnxError(f"cell {program.name!r}: a trace cannot be exported to ONNX; call without return_trace")
        if any(wanted) or expectation(program) != program:
            raise OnnxError(f"cell {program.name!r} was recorded in training: call model.eval() before the export")
        return RecordedScan(program, Sizes(*sizes), reverse)

    def split(self, operands: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """The operands as states and parameters; masks, which have their means as numbers here, are left out."""
        states, count = len(self.program.states), len(self.program.parameters)
        return list(operands[:states]), list(operands[states : states + count])

    def write(self, x: str, operands: Sequence[str], dtype: str, others: Mapping[str, str]) -> GraphProto:
        """The nodes of the call as a graph, whose inputs are x, the operands and the others.

        Args:
            x: the input's name.
            operands: the names of the states and parameters.
            dtype: the name of the dtype that the call computes in.
            others: the names of ``batch_sizes`` and ``reset``, as ``ScanCall`` takes them, where they are given.
        """
        states, parameters = self.split(operands)
        call = ScanCall(self.program, self.sizes, self.reverse, x, states, parameters, **others)
        about = str(self.program)
        return written([x, *operands, *others.values()], dtype, lambda graph: write_call(graph, call), about)


def written(
    given: Sequence[str], dtype: str, write: Callable[[GraphWriter], Sequence[str]], about: str = ""
) -> GraphProto:
    """A graph of the nodes that a function writes.

    Args:
        given: the names of the graph's inputs.
        dtype: the name of the dtype that the nodes compute in.
        write: writes the nodes, and returns the names of the results.
        about: a text for each node.
    """
    graph = GraphWriter(Store(_DTYPES[dtype], given))
    with graph.part("", about):
        results = list(write(graph))
        for number, name in enumerate(results):  # each a value of its own
            if name in given or name in results[:number]:
                results[number] = graph.node("Identity", name)
    inputs, outputs = ([helper.make_empty_tensor_value_info(name) for name in names] for names in (given, results))
    proto = helper.make_graph(graph.nodes, "nodes", inputs, outputs)
    proto.initializer.extend(graph.store.tensors)
    return proto
