"""``KerasWriter``: the nodes and tensors of a graph that is made of a model of Keras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recurra.conversion.arrays import Array
from recurra.graph.dtypes import onnx_number
from recurra.graph.graph import Attribute
from recurra.graph.writing import GraphNodes

Dims = tuple["int | None", ...]


@dataclass(frozen=True)
class KerasValue:
    """A tensor of a model.

    Attributes:
        name: its name in the graph.
        shape: its sizes, the batch first; None for one that is free.
        mask: the name of its mask, truth values (batch, steps); None where it has none. Default None.
        kind: ``"float"``, ``"int"`` or ``"bool"``. Default float.
    """

    name: str
    shape: Dims
    mask: str | None = None
    kind: str = "float"

    @property
    def rank(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def named(self, name: str) -> KerasValue:
        """The value of another name, of the same sizes and with the same mask."""
        return replace(self, name=name)


class KerasWriter(GraphNodes):
    """Writes nodes; one that is already there is not written again.

    Args:
        dtype: the dtype of the computation, float32 or float64.

    Attributes:
        dtype: the same.
        label: the name of the nodes that are written now.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        super().__init__()
        self.dtype, self.label = dtype, ""
        self._written: dict[Any, Any] = {}
        self._turned: dict[str, tuple[str, tuple[int, ...]]] = {}  # results of Transpose, with what went in
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def node(self, operator: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Attribute) -> Any:
        """Write a node, and return the name of its output, or the names of several."""
        key = (operator, inputs, outputs, domain, tuple(sorted(attributes.items())))
        if key not in self._written:
            self._written[key] = self.write(self.label, operator, inputs, outputs, domain, attributes)
        return self._written[key]

    def constant(self, array: Any, name: str = "constant") -> str:
        """Enter real numbers in the dtype of the computation; equal ones are entered once."""
        values = np.ascontiguousarray(array, self.dtype).reshape(np.shape(array))
        return self._entered(values, name)

    def whole(self, *values: int) -> str:
        """Enter a vector of whole numbers."""
        return self._entered(np.array(values, np.int64), "constant")

    def _entered(self, values: Array, name: str) -> str:
        key = (values.dtype.name, values.shape, values.tobytes())
        if key not in self._constants:
            self._constants[key] = self.tensor(values, name)
        return self._constants[key]

    def cast(self, value: str, dtype: np.dtype[Any] | type) -> str:
        """Write a conversion to a dtype."""
        return str(self.node("Cast", value, to=onnx_number(np.dtype(dtype))))

    def transpose(self, value: str, order: Sequence[int]) -> str:
        """Write a change of the dimensions' order; two that cancel are not written."""
        source, own = self._turned.get(value, (value, tuple(range(len(order)))))
        whole = tuple(own[axis] for axis in order)
        if whole == tuple(range(len(order))):
            return source
        result = str(self.node("Transpose", source, perm=whole))
        self._turned[result] = (source, whole)
        return result

    def size(self, value: str, axis: int) -> str:
        """Write the size of a dimension, as a vector of one number."""
        return str(self.node("Shape", value, start=axis, end=axis + 1))

    def sizes(self, value: str, parts: Sequence[int | None]) -> str:
        """Write a shape: given sizes, and for None the one that a value has at this place."""
        made = [self.size(value, axis) if part is None else self.whole(part) for axis, part in enumerate(parts)]
        return made[0] if len(made) == 1 else str(self.node("Concat", *made, axis=0))

    def together(self, operator: str, values: Sequence[str]) -> str:
        """Write an operator of two inputs over several, from the left."""
        result = values[0]
        for value in values[1:]:
            result = str(self.node(operator, result, value))
        return result

    def real(self, value: KerasValue) -> str:
        """A value as real numbers."""
        return value.name if value.kind == "float" else self.cast(value.name, self.dtype)

    def whole_numbers(self, value: KerasValue) -> str:
        """A value as whole numbers, such as the tokens of an embedding."""
        return value.name if value.kind == "int" else self.cast(value.name, np.int64)

    def truth(self, value: KerasValue) -> str:
        """A value as truth values."""
        return value.name if value.kind == "bool" else self.cast(value.name, np.bool_)

    def not_equal(self, value: KerasValue, number: float) -> str:
        """Where a value is not a number, as truth values."""
        whole = value.kind == "int"
        other = self._entered(np.array(int(number), np.int64), "constant") if whole else self.constant(number)
        return str(self.node("Not", self.node("Equal", value.name if whole else self.real(value), other)))

    def any(self, truths: str, axis: int) -> str:
        """Tell whether any of the truth values along an axis is true."""
        summed = self.node("ReduceSum", self.cast(truths, np.int64), self.whole(axis), keepdims=0)
        return str(self.node("Greater", summed, self._entered(np.array(0, np.int64), "constant")))

    def scalar(self, value: int) -> str:
        """Enter a whole number without dimensions."""
        return self._entered(np.array(value, np.int64), "constant")

    def all_steps(self, value: KerasValue) -> str:
        """Truth values (batch, steps) that are all true, for the steps of a value."""
        shape = self.node("Shape", value.name, end=2)
        return str(self.node("Expand", self._entered(np.array(True), "constant"), shape))
