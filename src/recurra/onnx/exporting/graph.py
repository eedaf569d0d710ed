"""``GraphWriter``: collects the nodes of a graph, its weights, and the names of its values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from recurra.errors import OnnxError
from recurra.program import Variable

MAX_BYTES = 2**31 - 2**24  # of all weights: a protobuf message has at most 2 GiB, and the nodes take some of them

Array = NDArray[Any]
Dimensions = Sequence[int | str]


def _readable(variable: Variable) -> str:
    """A variable's name in a graph: ``c.1`` for the program's ``c'``, ``t5`` for its ``%5``, which is unnamed."""
    name, prime, count = variable.name.removeprefix("%").partition("'")
    number = f".{count if count.isdigit() else len(count) + 1}" if prime else ""
    return (name if variable.is_named else f"t{name}") + number


class Store:
    """Names, weights and constants, shared by a graph and the bodies of its loops.

    Args:
        dtype: dtype of the computation, float32 or float64.
        reserved: names of the graph's inputs and outputs, which nothing else may have.
    """

    def __init__(self, dtype: np.dtype[Any], reserved: Iterable[str]) -> None:
        self.dtype = dtype
        self.tensors: list[TensorProto] = []
        self._names = set(reserved)
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._bytes = 0

    def name(self, wanted: str) -> str:
        """Reserve a new name: the one that is wanted or, if that is taken, the same with a number."""
        name, number = wanted, 1
        while name in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name)
        return name

    def add(self, wanted: str, array: Array) -> str:
        """Add a weight, and return its name.

        Raises:
            OnnxError: the weights would not fit in one file.
        """
        self._count(array)
        name = self.name(wanted)
        self.tensors.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def add_default(self, name: str, array: Array) -> None:
        """Add the value that an input of the graph has if it is left out."""
        self.tensors.append(numpy_helper.from_array(array, name))

    def add_as(self, name: str, array: Array) -> None:
        """Add a weight under a name that is reserved.

        Raises:
            OnnxError: the weights would not fit in one file.
        """
        self._count(array)
        self.tensors.append(numpy_helper.from_array(np.asarray(array, order="C"), name))

    def _count(self, array: Array) -> None:
        self._bytes += array.nbytes
        if self._bytes > MAX_BYTES:
            raise OnnxError(f"the weights take more than {MAX_BYTES} bytes; an ONNX file cannot hold 2 GiB")

    def constant(self, wanted: str, array: Array) -> str:
        """The name of a small weight, which is added unless an equal one is there."""
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.add(wanted, array)
        return self._constants[key]


class GraphWriter:
    """Collects the nodes of a graph, or of the body of a loop, which may read the outer graph's values by name.

    Args:
        store: names and weights, shared by the graph and all bodies in it.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.nodes: list[NodeProto] = []
        self._prefix, self._about = "", ""

    def body(self, prefix: str) -> GraphWriter:
        """A writer for the body of a loop in the current part; the prefix is added to the names of its values."""
        inner = GraphWriter(self.store)
        inner._prefix, inner._about = self._prefix + prefix, self._about
        return inner

    @contextmanager
    def part(self, prefix: str, about: str) -> Iterator[None]:
        """Begin the names of values with a prefix, and give nodes a text about their part, inside the ``with``."""
        before = self._prefix, self._about
        self._prefix, self._about = prefix, about
        yield
        self._prefix, self._about = before

    @property
    def is_single(self) -> bool:
        """Whether the graph computes in float32."""
        return self.store.dtype == np.float32

    def name(self, wanted: str) -> str:
        """A new name for a value of the current part."""
        return self.store.name(self._prefix + wanted)

    def name_of(self, variable: Variable) -> str:
        """A new name for a variable of a program."""
        return self.name(_readable(variable))

    def nodes_of(self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> list[str]:
        """Add a node, and return its outputs' names, which are new; an empty name stands for one that is left out."""
        node = helper.make_node(operator, inputs, outputs, name=outputs[0], doc_string=self._about, **attributes)
        self.nodes.append(node)
        return list(outputs)

    def node(self, operator: str, *inputs: str, into: str | None = None, **attributes: Any) -> str:
        """Add a node with one output, and return the output's name: ``into``, or a new one."""
        output = into or self.name(operator.lower())
        return self.nodes_of(operator, inputs, [output], **attributes)[0]

    def weight(self, name: str, array: Array) -> str:
        """Add a weight of the current part, and return its name."""
        return self.store.add(self._prefix + name, array)

    def weight_of(self, variable: Variable, array: Array) -> str:
        """Add a variable's known value as a weight, and return its name."""
        return self.weight(_readable(variable), np.asarray(array, self.store.dtype))

    def number(self, value: float) -> str:
        """The name of a constant without dimensions, in the computation's dtype."""
        return self.store.constant(f"{value:g}", np.asarray(value, self.store.dtype))

    def whole(self, *values: int) -> str:
        """The name of a constant vector of int64."""
        return self.store.constant(f"[{','.join(map(str, values))}]", np.array(values, np.int64))

    def index(self, value: int) -> str:
        """The name of an int64 constant without dimensions."""
        return self.store.constant(f"index {value}", np.array(value, np.int64))

    def declare(self, name: str, dimensions: Dimensions, dtype: np.dtype[Any] | None = None) -> ValueInfoProto:
        """The declaration of an input or output; in the computation's dtype by default."""
        element = helper.np_dtype_to_tensor_dtype(dtype or self.store.dtype)
        return helper.make_tensor_value_info(name, element, dimensions)

    def proto(self, name: str, inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto]) -> GraphProto:
        """The graph, without the weights."""
        return helper.make_graph(self.nodes, name, inputs, outputs, doc_string=self._about)
