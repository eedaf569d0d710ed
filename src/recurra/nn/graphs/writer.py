"""``NodeWriter``: writes the nodes of a graph for torch's operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from recurra.engines.torch_internals import fixed_size
from recurra.graph.graph import Attribute
from recurra.graph.writing import GraphNodes

OPSET = 20  # of the operators that are written

# ONNX's number and numpy's name of each dtype that a graph can hold.
DTYPES = {
    torch.float32: (1, "float32"), torch.uint8: (2, "uint8"), torch.int8: (3, "int8"), torch.int16: (5, "int16"),
    torch.int32: (6, "int32"), torch.int64: (7, "int64"), torch.bool: (9, "bool"), torch.float16: (10, "float16"),
    torch.float64: (11, "float64"),
}  # fmt: skip


class Ref(NamedTuple):
    """A value of the graph as rules see it.

    Attributes:
        name: its name in the graph.
        val: torch's stand-in for it, with shape and dtype: a tensor, or a whole number in symbols.
    """

    name: str
    val: Any

    @property
    def ndim(self) -> int:
        """The number of dimensions; 0 for a number."""
        return self.val.ndim if isinstance(self.val, torch.Tensor) else 0

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of a tensor; int64 for a whole number."""
        return self.val.dtype if isinstance(self.val, torch.Tensor) else torch.int64

    def size(self, dim: int) -> int | None:
        """A size that is fixed; None if it is free."""
        return fixed_size(self.val.shape[dim])


GraphValue = Any  # a Ref, a number, a text, None, or a list of these
GraphSize = Any  # a whole number, or the Ref of one


def unsupported_dtype(dtype: torch.dtype) -> str:
    """A sentence about a dtype that no graph can hold."""
    return f"numbers of {str(dtype).removeprefix('torch.')} are not supported: convert the module, with .float() say"


class NodeWriter(GraphNodes):
    """The nodes and tensors of a graph that is made of torch's operations.

    Attributes:
        label: the name of the nodes that are written now.
        operation: the name of torch's operation that is written now.
        result: torch's stand-in for its result.
    """

    def __init__(self) -> None:
        super().__init__()
        self.label = self.operation = ""
        self.result: Any = None

    def number(self, value: complex, dtype: torch.dtype) -> str:
        """A number as a tensor without dimensions.

        Raises:
            ValueError: a graph cannot hold the dtype.
        """
        return self.tensor(np.array(value, numpy_dtype(dtype)))

    def node(
        self, operator: str, *inputs: str | Ref | None, outputs: int = 1, domain: str = "", **attributes: Attribute
    ) -> Any:
        """Write a node, and return the name of its output, or the names of several."""
        names = tuple("" if each is None else each if isinstance(each, str) else each.name for each in inputs)
        return self.write(self.label, operator, names, outputs, domain, attributes)

    def shape(self, sizes: Sequence[GraphSize]) -> str:
        """Sizes, of which some may be values of the graph, as a vector."""
        if all(isinstance(size, int) for size in sizes):
            return self.ints(*sizes)
        parts: list[str] = []
        run: list[int] = []
        for size in sizes:
            if isinstance(size, int):
                run.append(size)
                continue
            if run:
                parts.append(self.ints(*run))
                run = []
            parts.append(self.node("Reshape", size, self.ints(1)))
        if run:
            parts.append(self.ints(*run))
        return parts[0] if len(parts) == 1 else str(self.node("Concat", *parts, axis=0))

    def scalar(self, size: GraphSize) -> str:
        """A whole number as a tensor without dimensions."""
        return self.number(size, torch.int64) if isinstance(size, int) else str(size.name)

    def cast(self, value: GraphValue, dtype: torch.dtype) -> str:
        """A tensor or number in a dtype."""
        if not isinstance(value, Ref):
            return self.number(value, dtype)
        if value.dtype == dtype:
            return value.name
        return str(self.node("Cast", value, to=onnx_dtype(dtype)))


def numpy_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    """numpy's dtype for one of torch's.

    Raises:
        ValueError: a graph cannot hold it.
    """
    if dtype not in DTYPES:
        raise ValueError(unsupported_dtype(dtype))
    return np.dtype(DTYPES[dtype][1])


def onnx_dtype(dtype: torch.dtype) -> int:
    """ONNX's number for a dtype of torch's.

    Raises:
        ValueError: a graph cannot hold it.
    """
    if dtype not in DTYPES:
        raise ValueError(unsupported_dtype(dtype))
    return DTYPES[dtype][0]
