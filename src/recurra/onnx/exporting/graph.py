"""``GraphWriter``: nodes in their order, every weight once, and a name for each value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from recurra.errors import OnnxError
from recurra.program import Variable

MAX_BYTES = 2**31 - 2**24  # of all weights: a protobuf message ends at 2 GiB, and the graph takes some too

Array = NDArray[Any]
Dimensions = Sequence[int | str]


def _readable(variable: Variable) -> str:
    """A variable's name for a graph: ``c.1`` is the program's ``c'``, ``t5`` its ``%5``, which has no name."""
    name, prime, count = variable.name.removeprefix("%").partition("'")
    number = f".{count if count.isdigit() else len(count) + 1}" if prime else ""
    return (name if variable.is_named else f"t{name}") + number


class Store:
    """Names, weights and constants, which a graph and the bodies of its loops share.

    Args:
        dtype: of the computation, float32 or float64.
        reserved: names that only the graph's own inputs and outputs have.
    """

    def __init__(self, dtype: np.dtype[Any], reserved: Iterable[str]) -> None:
        self.dtype = dtype
        self.tensors: list[TensorProto] = []
        self._names = set(reserved)
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._bytes = 0

    def name(self, wanted: str) -> str:
        """This name, or where it is taken, the name with a number behind it."""
        name, number = wanted, 1
        while name in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name)
        return name

    def add(self, wanted: str, array: Array) -> str:
        """A weight; its name.

        Raises:
            OnnxError: the weights would not fit in one file.
        """
        self._bytes += array.nbytes
        if self._bytes > MAX_BYTES:
            raise OnnxError(f"the weights take more than {MAX_BYTES} bytes; an ONNX file cannot hold 2 GiB")
        name = self.name(wanted)
        self.tensors.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def add_default(self, name: str, array: Array) -> None:
        """The value of an input of the graph where it is left out."""
        self.tensors.append(numpy_helper.from_array(array, name))

    def constant(self, wanted: str, array: Array) -> str:
        """A small weight that may be there already; its name."""
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.add(wanted, array)
        return self._constants[key]


class GraphWriter:
    """A graph, or the body of a loop in it, which reads the outer graph's values by their names.

    Args:
        store: what all of them share.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.nodes: list[NodeProto] = []
        self._prefix, self._about = "", ""

    def body(self, prefix: str) -> GraphWriter:
        """A graph for the body of a loop in the current part; its values are named with a further prefix."""
        inner = GraphWriter(self.store)
        inner._prefix, inner._about = self._prefix + prefix, self._about
        return inner

    @contextmanager
    def part(self, prefix: str, about: str) -> Iterator[None]:
        """Inside, values are named with this prefix, and nodes say what they are part of."""
        before = self._prefix, self._about
        self._prefix, self._about = prefix, about
        yield
        self._prefix, self._about = before

    @property
    def is_single(self) -> bool:
        """Whether it computes in float32."""
        return self.store.dtype == np.float32

    def name(self, wanted: str) -> str:
        """A new name for a value of the current part."""
        return self.store.name(self._prefix + wanted)

    def name_of(self, variable: Variable) -> str:
        """A new name for a variable of a program."""
        return self.name(_readable(variable))

    def nodes_of(self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> list[str]:
        """A node with these new outputs, whose names have been made; an empty name stands for nothing."""
        node = helper.make_node(operator, inputs, outputs, name=outputs[0], doc_string=self._about, **attributes)
        self.nodes.append(node)
        return list(outputs)

    def node(self, operator: str, *inputs: str, into: str | None = None, **attributes: Any) -> str:
        """A node with one output; its name, new unless ``into`` gives it."""
        output = into or self.name(operator.lower())
        return self.nodes_of(operator, inputs, [output], **attributes)[0]

    def weight(self, name: str, array: Array) -> str:
        """A weight of the current part; its name."""
        return self.store.add(self._prefix + name, array)

    def weight_of(self, variable: Variable, array: Array) -> str:
        """The value of a variable that is known, as a weight; its name."""
        return self.weight(_readable(variable), np.asarray(array, self.store.dtype))

    def number(self, value: float) -> str:
        """A constant of the computation's dtype, without dimensions."""
        return self.store.constant(f"{value:g}", np.asarray(value, self.store.dtype))

    def whole(self, *values: int) -> str:
        """A vector of int64."""
        return self.store.constant(f"[{','.join(map(str, values))}]", np.array(values, np.int64))

    def index(self, value: int) -> str:
        """An int64 without dimensions."""
        return self.store.constant(f"index {value}", np.array(value, np.int64))

    def declare(self, name: str, dimensions: Dimensions, dtype: np.dtype[Any] | None = None) -> ValueInfoProto:
        """A value as a graph's inputs and outputs are listed; of the computation's dtype by default."""
        element = helper.np_dtype_to_tensor_dtype(dtype or self.store.dtype)
        return helper.make_tensor_value_info(name, element, dimensions)

    def made(self, name: str, inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto]) -> GraphProto:
        """The graph; the weights are not in it yet."""
        return helper.make_graph(self.nodes, name, inputs, outputs, doc_string=self._about)
