"""Operators on floats between DequantizeLinear and QuantizeLinear, as operators on the 8-bit numbers themselves.

Graphs in the QDQ format say in this way what may be computed in whole numbers. A result differs by one quantum at most
from that of the floats, whose sums are rounded.
"""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from recurra.graph.graph import Attribute, Graph, GraphNode
from recurra.graph.operators.quantized import MICROSOFT
from recurra.graph.table import STANDARD, Array

_BYTES = ("uint8", "int8")
_FROM, _TO = "DequantizeLinear", "QuantizeLinear"


@dataclass(frozen=True)
class _WholeNumbers:
    """A value as whole numbers: names of the numbers, their scale and zero point, which are known."""

    numbers: str
    scale: str
    zero: str
    axis: int

    @property
    def names(self) -> tuple[str, str, str]:
        return self.numbers, self.scale, self.zero


@dataclass(frozen=True)
class _Candidate:
    """A node, of which all may be known that decides whether whole numbers can stand in its place."""

    node: GraphNode
    inputs: tuple[_WholeNumbers | None, ...]  # None for one that is no whole numbers, or left out; at least two
    result: _WholeNumbers | None  # None where floats are wanted
    tensors: Mapping[str, Array]
    opset: int

    def is_single(self, *each: _WholeNumbers | None) -> bool:
        """Tell whether these are whole numbers of 8 bits, each with one scale and one zero point."""
        return all(
            q is not None and self._zero(q).dtype.name in _BYTES and self._zero(q).size == 1 and self.scale(q).size == 1
            for q in each
        )

    def scale(self, quanta: _WholeNumbers) -> Array:
        return self.tensors[quanta.scale]

    def _zero(self, quanta: _WholeNumbers) -> Array:
        return self.tensors[quanta.zero]

    def is_same(self, a: _WholeNumbers, b: _WholeNumbers) -> bool:
        """Tell whether two values have the same scale and zero point."""
        return (
            self._zero(a).dtype == self._zero(b).dtype
            and np.array_equal(self.scale(a).reshape(-1), self.scale(b).reshape(-1))
            and np.array_equal(self._zero(a).reshape(-1), self._zero(b).reshape(-1))
        )

    def are_weights(self, quanta: _WholeNumbers | None, axis: int, dimensions: int | None = None) -> bool:
        """Tell whether these are known numbers of 8 bits with one scale, or one for each index of an axis."""
        known = None if quanta is None else self.tensors.get(quanta.numbers)
        if quanta is None or known is None or known.dtype.name not in _BYTES:
            return False
        if dimensions is not None and known.ndim != dimensions:
            return False
        counts = {self.scale(quanta).size, self._zero(quanta).size}
        return counts == {1} or (quanta.axis % known.ndim == axis % known.ndim and counts <= {1, known.shape[axis]})

    def bias(self, number: int, x: _WholeNumbers, weights: _WholeNumbers) -> str | None:
        """The name of the bias at the product's scale, int32; empty if there is none, None if it has another scale."""
        if number >= len(self.node.inputs) or not self.node.inputs[number]:
            return ""
        quanta = self.inputs[number]
        known = None if quanta is None else self.tensors.get(quanta.numbers)
        if quanta is None or known is None or known.dtype != np.int32 or known.ndim != 1 or self._zero(quanta).any():
            return None
        wanted = self.scale(x) * self.scale(weights)
        return quanta.numbers if np.allclose(self.scale(quanta), wanted, rtol=1e-6, atol=0) else None


def _convolution(place: _Candidate) -> GraphNode | None:
    x, weights, y = place.inputs[0], place.inputs[1], place.result
    if x is None or weights is None or y is None or not place.is_single(x, y) or not place.are_weights(weights, 0):
        return None
    bias = place.bias(2, x, weights)
    if bias is None:
        return None
    inputs = (*x.names, *weights.names, y.scale, y.zero, *([bias] if bias else []))
    return replace(place.node, operator="QLinearConv", inputs=inputs)


def _matrix_product(place: _Candidate) -> GraphNode | None:
    a, b, y = place.inputs[0], place.inputs[1], place.result
    if a is None or b is None or not place.is_single(a) or not place.are_weights(b, -1, 2):
        return None
    if y is None:
        inputs = (a.numbers, b.numbers, a.scale, b.scale, a.zero, b.zero)
        return replace(place.node, operator="MatMulIntegerToFloat", inputs=inputs, domain=MICROSOFT)
    if not place.is_single(y):
        return None
    return replace(place.node, operator="QLinearMatMul", inputs=(*a.names, *b.names, y.scale, y.zero))


_PLAIN: Mapping[str, Attribute] = {"transA": 0, "alpha": 1.0, "beta": 1.0}  # of a Gemm


def _linear(place: _Candidate) -> GraphNode | None:
    a, b, y, attributes = place.inputs[0], place.inputs[1], place.result, place.node.attributes
    axis = 0 if attributes.get("transB") else 1
    if a is None or b is None or not place.is_single(a) or not place.are_weights(b, axis, 2):
        return None
    if any(attributes.get(name, wanted) not in (wanted,) for name, wanted in _PLAIN.items()):
        return None
    bias = place.bias(2, a, b)
    if bias is None or (y is not None and not place.is_single(y)):
        return None
    kept = {name: value for name, value in attributes.items() if name == "transB"}
    inputs = (*a.names, *b.names, bias, *([] if y is None else [y.scale, y.zero]))
    return replace(place.node, operator="QGemm", inputs=inputs, attributes=kept, domain=MICROSOFT)


def _of_two(place: _Candidate) -> GraphNode | None:
    a, b, y = place.inputs[0], place.inputs[1], place.result
    if a is None or b is None or y is None or not place.is_single(a, b, y):
        return None
    inputs = (*a.names, *b.names, y.scale, y.zero)
    return replace(place.node, operator=f"QLinear{place.node.operator}", inputs=inputs, domain=MICROSOFT)


def _of_one(place: _Candidate) -> GraphNode | None:
    x, y = place.inputs[0], place.result
    if x is None or y is None or not place.is_single(x, y):
        return None
    attributes: dict[str, Attribute] = dict(place.node.attributes)
    if place.node.operator == "Softmax":
        attributes = {"axis": attributes.get("axis", -1 if place.opset >= 13 else 1), "opset": place.opset}
    operator, inputs = f"QLinear{place.node.operator}", (*x.names, y.scale, y.zero)
    return replace(place.node, operator=operator, inputs=inputs, attributes=attributes, domain=MICROSOFT)


def _concatenation(place: _Candidate) -> GraphNode | None:
    y = place.result
    parts = place.inputs[: len(place.node.inputs)]
    if y is None or not place.is_single(*parts, y):
        return None
    inputs = (y.scale, y.zero, *(name for each in parts if each is not None for name in each.names))
    return replace(place.node, operator="QLinearConcat", inputs=inputs, domain=MICROSOFT)


def _move(place: _Candidate) -> GraphNode | None:
    """An operator that gives some of its input's numbers."""
    x, y = place.inputs[0], place.result
    if x is None or y is None or not place.is_single(x, y) or not place.is_same(x, y):
        return None
    return replace(place.node, inputs=(x.numbers, *place.node.inputs[1:]))


_RULES: Mapping[str, Callable[[_Candidate], GraphNode | None]] = {
    "Conv": _convolution, "MatMul": _matrix_product, "Gemm": _linear, "Add": _of_two, "Mul": _of_two,
    "Concat": _concatenation,
    **dict.fromkeys(("Sigmoid", "LeakyRelu", "AveragePool", "GlobalAveragePool", "Softmax"), _of_one),
    **dict.fromkeys(
        ("MaxPool", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather", "Identity"), _move
    ),
}  # fmt: skip


def in_whole_numbers(graph: Graph, opset: int) -> Graph:
    """The graph with operators on 8-bit numbers where it has pairs with known scales around operators on floats."""
    return _Rewriting(graph, opset).done()


class _Rewriting:
    def __init__(self, graph: Graph, opset: int) -> None:
        given = {each.name for each in graph.inputs}
        self._graph, self._opset = graph, opset
        self._added: dict[str, Array] = {}  # zero points that were left out
        known = {name: array for name, array in graph.tensors.items() if name not in given}
        self._tensors = ChainMap(self._added, known)
        self._names = {*graph.tensors, *given, *(name for node in graph.nodes for name in node.outputs)}
        self._read = Counter(name for node in graph.nodes for name in node.inputs)
        self._kept = {each.name for each in graph.outputs}.union(*(node.names_read_inside() for node in graph.nodes))
        self._quanta: dict[str, _WholeNumbers] = {}  # by the names of floats
        self._next: dict[str, GraphNode] = {}  # by the names of values that one node reads
        for node in graph.nodes:
            for name in node.inputs:
                if self._read[name] == 1 and name not in self._kept:
                    self._next[name] = node

    def done(self) -> Graph:
        if not any(node.operator == _FROM for node in self._graph.nodes):
            return self._graph
        nodes: list[GraphNode] = []
        dropped: set[str] = set()  # names of values that nothing computes any more
        for node in self._graph.nodes:
            if node.operator == _FROM and node.outputs:
                found = self._quanta_of(node)
                if found is not None:
                    self._quanta[node.outputs[0]] = found
            if node.outputs and node.outputs[0] in dropped:
                continue
            replaced = self._replaced(node, dropped)
            nodes.append(node if replaced is None else replaced)
        read = {name for node in nodes for name in node.inputs} | self._kept
        kept = tuple(node for node in nodes if node.operator != _FROM or not read.isdisjoint(node.outputs))
        return replace(self._graph, nodes=kept, tensors={**self._graph.tensors, **self._added})

    def _replaced(self, node: GraphNode, dropped: set[str]) -> GraphNode | None:
        """The node in whole numbers; the values that it no longer gives are added to ``dropped``."""
        rule = _RULES.get(node.operator)
        inputs = tuple(self._quanta.get(name) for name in node.inputs)
        if rule is None or node.domain not in STANDARD or not any(inputs) or len(node.outputs) != 1:
            return None
        passed, follower = [], self._next.get(node.outputs[0])
        if follower is not None and follower.operator == "Relu" and node.operator in ("Conv", "Gemm", "MatMul", "Add"):
            passed, follower = [follower], self._next.get(follower.outputs[0])
        result = None
        if follower is not None and follower.operator == _TO and len(follower.outputs) == 1:
            result = self._quanta_of(follower)
            passed = [*passed, follower]
        if passed and (result is None or not self._cuts(passed, result)):
            passed, result = [], None
        made = rule(_Candidate(node, (*inputs, None), result, self._tensors, self._opset))
        if made is None:
            return None
        dropped.update(name for each in passed for name in each.outputs)
        return replace(made, outputs=passed[-1].outputs if passed else node.outputs)

    def _cuts(self, passed: list[GraphNode], result: _WholeNumbers) -> bool:
        """Tell whether the whole numbers of the result begin at zero, if a ReLU comes before they are rounded."""
        zero = self._known(result.zero)
        return len(passed) == 1 or (zero is not None and bool((zero == np.iinfo(zero.dtype).min).all()))

    def _quanta_of(self, node: GraphNode) -> _WholeNumbers | None:
        """The numbers of a node of the pair; None if scale or zero point may change, or if they are not of 8 bits."""
        if len(node.inputs) < 2:
            return None
        numbers = node.outputs[0] if node.operator == _TO else node.inputs[0]
        _, scale_name, *rest = node.inputs
        scale, zero_name = self._known(scale_name), rest[0] if rest else ""
        if scale is None or scale.dtype != np.float32 or node.attributes.get("block_size"):
            return None
        axis = node.attributes.get("axis", 1)
        known, zero = self._known(numbers), self._known(zero_name)
        if not zero_name:
            dtype = known.dtype if known is not None else np.dtype(np.uint8) if node.operator == _TO else None
            if dtype is None or node.attributes.get("output_dtype"):
                return None
            zero_name, zero = f"{numbers}:zero", np.zeros(scale.shape, dtype)
            if zero_name in self._names:
                return None
            self._added[zero_name] = zero
        if zero is None or not isinstance(axis, int) or zero.dtype.name not in (*_BYTES, "int32"):
            return None
        return _WholeNumbers(numbers, scale_name, zero_name, axis)

    def _known(self, name: str) -> Array | None:
        return self._tensors.get(name)
