"""torch.nn's recurrent layers as ONNX graphs: one LSTM, GRU or RNN node for each layer.

Graphs are written by hand, as exporters may unroll the loop. Sizes are fixed, so that runtimes can prepare the most.
Inputs are ``x`` and, for the stream, ``h_0`` and ``c_0``; outputs are ``output``, ``h_n`` and, for an LSTM, ``c_n``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.bench.problem import Problem

# The positions of ONNX's gates among torch's: iofc among ifgo, zrh among rzn.
GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}
OPSET, IR_VERSION = 17, 8


def model(problem: Problem) -> bytes:
    """The graph of a problem's layer, serialized."""
    from onnx import TensorProto, helper

    case, shape = problem.case, problem.case.shape
    graph = _LayerGraph(problem)
    x = "x"
    for layer in range(shape.layers):
        x = graph.layer(layer, x)
    states = graph.finish(x)
    feeds = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in feed(problem).items()
    ]
    steps, width = shape.steps, shape.hidden * shape.directions
    results = [helper.make_tensor_value_info("output", TensorProto.FLOAT, (steps, shape.batch, width))]
    size = (shape.layers * shape.directions, shape.batch, shape.hidden)
    results += [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name in states]
    proto = helper.make_graph(graph.nodes, case.cell, feeds, results, graph.weights)
    opset = helper.make_opsetid("", OPSET)
    return bytes(helper.make_model(proto, opset_imports=[opset], ir_version=IR_VERSION).SerializeToString())


def feed(problem: Problem) -> dict[str, NDArray[Any]]:
    """The graph's inputs by name."""
    return dict(zip(("x", "h_0", "c_0"), (problem.dense.numpy(), *[s.numpy() for s in problem.states]), strict=False))


def outputs(problem: Problem) -> tuple[str, ...]:
    """The names of the graph's outputs, in their order."""
    return ("output", "h_n", "c_n") if problem.case.cell == "lstm" else ("output", "h_n")


class _LayerGraph:
    """Nodes and weights, layer by layer."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.cell, self.shape = problem.case.cell, problem.case.shape
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.last: list[list[str]] = []
        self.constant("one", np.array([1]))
        self.constant("joined", np.array([0, 0, -1]))

    def constant(self, name: str, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))

    def layer(self, number: int, x: str) -> str:
        """Append a layer over `x`, and return the name of its output, (T, B, directions * H)."""
        weights = [self.constant(f"{kind}{number}", self._stacked(kind, number)) for kind in "WRB"]
        names = [f"{name}{number}" for name in ("h_n", "c_n")[: 2 if self.cell == "lstm" else 1]]
        first = ["h_0", "c_0"][: len(self.problem.states)]
        attributes: dict[str, Any] = {"hidden_size": self.shape.hidden}
        if self.shape.directions == 2:
            attributes["direction"] = "bidirectional"
        if self.cell == "gru":
            attributes["linear_before_reset"] = 1
        self.node(self.cell.upper(), [x, *weights, "", *first], [f"Y{number}", *names], **attributes)
        self.last.append(names)
        return self._merged(f"Y{number}", f"y{number}")

    def _merged(self, y: str, merged: str) -> str:
        """Turn (T, directions, B, H) into torch's (T, B, directions * H)."""
        if self.shape.directions == 1:
            self.node("Squeeze", [y, "one"], [merged])
        else:
            self.node("Transpose", [y], [f"{y}t"], perm=[0, 2, 1, 3])
            self.node("Reshape", [f"{y}t", "joined"], [merged])
        return merged

    def finish(self, x: str) -> list[str]:
        """Give the results their names, and return those of the states."""
        self.node("Identity", [x], ["output"])
        states = ["h_n", "c_n"][: len(self.last[0])]
        for position, name in enumerate(states):
            self.node("Concat", [names[position] for names in self.last], [name], axis=0)
        return states

    def _stacked(self, kind: str, layer: int) -> NDArray[Any]:
        """A weight of all directions: W (d, G*H, I), R (d, G*H, H) or B (d, 2*G*H), in ONNX's order of gates."""
        names = {"W": ("weight_ih",), "R": ("weight_hh",), "B": ("bias_ih", "bias_hh")}[kind]
        suffixes = ("", "_reverse")[: self.shape.directions]
        weights = self.problem.weights
        return np.stack(
            [
                np.concatenate([self._ordered(weights[f"{n}_l{layer}{suffix}"].numpy()) for n in names])
                for suffix in suffixes
            ]
        )

    def _ordered(self, weight: NDArray[Any]) -> NDArray[Any]:
        parts = np.split(weight, len(GATES[self.cell]))
        return np.concatenate([parts[place] for place in GATES[self.cell]])
