"""``GraphModel``: a model that is a graph of operators, ready to run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from recurra.errors import OnnxError
from recurra.graph.declaration import Declaration
from recurra.graph.file import write_graph
from recurra.graph.graph import ModelGraph
from recurra.graph.running import RunnableGraph
from recurra.graph.settling import SettledCalls
from recurra.graph.settling.memory import owner_of
from recurra.graph.stream import GraphStream
from recurra.graph.table import Array


class GraphModel:
    """A model that is a graph, on numpy's arrays; ``recurra.onnx.load`` and ``recurra.runtime.load`` make it.

    It holds no state between calls, and several threads may call it at a time.

    Attributes:
        name: the name of the file.
        inputs: the inputs, each with its name, its shape, its dtype and whether it may be left out.
        outputs: the outputs, likewise.
        source: the graph as data.
    """

    def __init__(self, graph: RunnableGraph, defaults: Mapping[str, Array], name: str, source: ModelGraph) -> None:
        self._graph, self._defaults = graph, dict(defaults)
        self.name, self.source = name, source
        self.inputs: tuple[Declaration, ...] = graph.inputs
        self.outputs: tuple[Declaration, ...] = graph.outputs
        self._settled = SettledCalls(graph)

    def __call__(self, /, *arrays: Any, **named: Any) -> Array | tuple[Array, ...]:
        """Run the model.

        Args:
            *arrays: the first inputs, in the order of ``inputs``.
            **named: the others, by name.

        Returns:
            the only output as an array, or all outputs as a tuple.

        Raises:
            OnnxError: an input is unknown, missing, given twice or not as declared; or a node cannot compute with it.
        """
        if len(arrays) > len(self.inputs):
            raise OnnxError(f"{self.name} takes {len(self.inputs)} inputs, not {len(arrays)}: {self._declared()}")
        feeds = {declared.name: array for declared, array in zip(self.inputs, arrays, strict=False)}
        twice = [name for name in named if name in feeds]
        if twice:
            raise OnnxError(f"{self.name}: input {twice[0]!r} is given twice, by its place and by its name")
        results = self.run(None, {**feeds, **named})
        return results[0] if len(results) == 1 else tuple(results)

    def run(self, output_names: Sequence[str] | None, feeds: Mapping[str, Any]) -> list[Array]:
        """Run the model, with the arguments of onnxruntime's sessions and of onnx's reference evaluator.

        Args:
            output_names: the names of the outputs to return; None for all.
            feeds: inputs by name; optional ones may be left out.

        Returns:
            the outputs, in the order asked for; the caller may change these arrays.

        Raises:
            OnnxError: an input is unknown, missing or not as declared, an output is unknown, or a node cannot compute
                with its inputs.
        """
        names = [output.name for output in self.outputs]
        wanted = names if output_names is None else list(output_names)
        unknown = [name for name in wanted if name not in names]
        if unknown:
            raise OnnxError(f"{self.name} has no output {unknown[0]!r}; it has {', '.join(names)}")
        found = self._settled.run(feeds)
        if found is None:
            given = self._accepted(feeds)
            found = self._settled.begin(given)
            if found is None:
                with np.errstate(all="ignore"):
                    found = _own(self._graph.run(given), given.values())
            for declared, result in zip(self.outputs, found, strict=True):
                if declared.dtype not in (None, result.dtype):
                    raise OnnxError(f"{self.name}: output {declared} came out as {result.dtype}")
        results = dict(zip(names, found, strict=True))
        return [results[name] for name in wanted]

    def stream(self, states: Mapping[str, str] | None = None, batch: int = 1) -> GraphStream:
        """A new stream, which holds the states of a graph whose states are inputs and outputs.

        Args:
            states: for each input that is a state the output that is its next value, ``{"h_in": "h_out"}``. Default:
                found by names and shapes, where these leave no doubt.
            batch: the number of sequences: the size of the states' free dimensions. Default 1.

        Raises:
            RecurraError: an input or output is not known, they do not fit, or it is not clear which are the states.
        """
        return GraphStream(self, states, batch)

    def default(self, name: str) -> Array | None:
        """The value of an input that is left out; None where it may not be."""
        return self._defaults.get(name)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, in one step; ``recurra.runtime.load`` reads it without onnx and torch.

        Raises:
            FileFormatError: the file cannot be written.
        """
        write_graph(self.source, path)

    def _accepted(self, feeds: Mapping[str, Any]) -> dict[str, Array]:
        known = {declared.name: declared for declared in self.inputs}
        unknown = [name for name in feeds if name not in known]
        if unknown:
            raise OnnxError(f"{self.name} has no input {unknown[0]!r}; it has {self._declared()}")
        missing = [name for name in known if name not in feeds and name not in self._defaults]
        if missing:
            raise OnnxError(f"{self.name} needs input {', '.join(missing)}; it has {self._declared()}")
        return {**self._defaults, **{name: known[name].accept(value) for name, value in feeds.items()}}

    def _declared(self) -> str:
        return "; ".join(map(str, self.inputs)) or "none"

    def __repr__(self) -> str:
        outputs = "; ".join(map(str, self.outputs))
        return f"<GraphModel {self.name}: {self._declared()} → {outputs}>"


def _own(results: Sequence[Array], given: Iterable[Array]) -> list[Array]:
    """The results, copied if they share memory with an input, a constant, each other or the rest of a larger array."""
    taken = {id(owner_of(array)) for array in given}
    owned = []
    for result in results:
        memory = owner_of(result)
        is_free = result.flags.writeable and id(memory) not in taken and result.nbytes == memory.nbytes
        taken.add(id(memory))
        owned.append(result if is_free else result.copy())
    return owned
