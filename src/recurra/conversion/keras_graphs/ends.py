"""The ends of a graph: the inputs and the outputs of a model of Keras, under the names of their layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from recurra.conversion.keras_config import KerasLayer
from recurra.conversion.keras_graphs.network import KerasNetwork, TensorPlace
from recurra.conversion.keras_graphs.writer import KerasValue, KerasWriter
from recurra.errors import RecurraError
from recurra.graph.declaration import Declaration
from recurra.graph.graph import Graph, ModelGraph

_OPSET = 20  # of the operators that are written
_MOST_NODES = 20_000
_MOST_DIMENSIONS = 8
_WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def input_of(layer: KerasLayer, network: KerasNetwork, writer: KerasWriter) -> tuple[Declaration, KerasValue]:
    """The declaration of an input of a model, and its value; tokens of an embedding are whole numbers.

    Raises:
        RecurraError: its shape is not in the configuration.
    """
    given = layer.settings.get("batch_shape") or layer.settings.get("batch_input_shape")
    if not isinstance(given, list) or not 0 < len(given) <= _MOST_DIMENSIONS:
        raise RecurraError(f"the shape of input {layer.name[:60]} is not in the configuration")
    shape = tuple(size if type(size) is int and 0 < size < 2**31 else None for size in given[1:])
    stated = _stated_dtype(layer.settings.get("dtype"))
    kind = "bool" if stated == "bool" else "int" if stated in _WHOLE or _feeds_table(network, layer.name) else "float"
    dtype = {"bool": np.dtype(bool), "int": np.dtype(np.int64), "float": writer.dtype}[kind]
    name = writer.name(layer.name[:200] or "input")
    free = ["steps" if axis == 1 else f"size_{axis}" for axis in range(1, len(shape) + 1)]
    sizes = [f"{name}_{word}" if size is None else size for word, size in zip(free, shape, strict=True)]
    return Declaration(name, ("batch", *sizes), dtype), KerasValue(name, (None, *shape), kind=kind)


def _stated_dtype(given: Any) -> Any:
    """The name of a dtype, which newer files write as a policy."""
    inside = given.get("config") if isinstance(given, dict) else None
    return inside.get("name") if isinstance(inside, dict) else given


def _feeds_table(network: KerasNetwork, name: str) -> bool:
    """Tell whether an input goes into an embedding, also one of a model inside."""
    waiting = [(network, TensorPlace(name, 0, 0))]
    seen = {(id(network), name)}
    while waiting:
        model, place = waiting.pop()
        for call in model.calls:
            places = call.places()
            if place not in places:
                continue
            if call.layer.core.kind == "Embedding":
                return True
            if call.inner is not None and len(places) == len(call.inner.inputs):
                own = call.inner.inputs[places.index(place)].name
                if (id(call.inner), own) not in seen:
                    seen.add((id(call.inner), own))
                    waiting.append((call.inner, TensorPlace(own, 0, 0)))
    return False


def finished(
    writer: KerasWriter, network: KerasNetwork, inputs: Sequence[Declaration], results: Sequence[KerasValue]
) -> ModelGraph:
    """The graph of all that was written; what no output needs is left out.

    Raises:
        RecurraError: it has too many nodes.
    """
    names, given = _output_names(network), {each.name for each in inputs}
    names = [f"{name}_output" if name in given else name for name in names]
    renamed: dict[str, str] = {}
    ends: list[str] = []
    for name, value in zip(names, results, strict=True):
        end = value.name
        if end in given or end in writer.tensors or end in renamed:  # it has a name already
            end = writer.write(name, "Identity", [end], 1, "", {})
        renamed[end] = name
        ends.append(end)
    for taken in set(names) & _values(writer) - set(ends):
        renamed[taken] = writer.name(f"{taken}.inner")
    if len(writer.nodes) > _MOST_NODES:
        raise RecurraError(f"the model has more than {_MOST_NODES} operations")
    needed, nodes = set(ends), []
    for node in reversed(writer.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
            own = [tuple(renamed.get(each, each) for each in group) for group in (node.inputs, node.outputs)]
            nodes.append(replace(node, inputs=own[0], outputs=own[1]))
    tensors = {renamed.get(name, name): array for name, array in writer.tensors.items() if name in needed}
    dtypes = {"float": writer.dtype, "int": np.dtype(np.int64), "bool": np.dtype(bool)}
    outputs = tuple(
        Declaration(name, _declared_shape(name, value), dtypes[value.kind])
        for name, value in zip(names, results, strict=True)
    )
    return ModelGraph(Graph(tuple(inputs), outputs, tuple(reversed(nodes)), tensors), _OPSET)


def _output_names(network: KerasNetwork) -> list[str]:
    """The layers that give the outputs; those that give several have numbers behind them."""
    counts = Counter(place.layer for place in network.outputs)
    numbers: Counter[str] = Counter()
    names: list[str] = []
    for place in network.outputs:
        name = place.layer[:200] or "output"
        own = name if counts[place.layer] == 1 else f"{name}_{numbers[place.layer]}"
        numbers[place.layer] += 1
        while own in names:
            own += "_"
        names.append(own)
    return names


def _values(writer: KerasWriter) -> set[str]:
    """The names of all values of nodes, and of tensors."""
    return {name for node in writer.nodes for name in node.outputs} | set(writer.tensors)


def _declared_shape(name: str, value: KerasValue) -> tuple[int | str, ...]:
    sizes = [f"{name}_size_{axis}" if size is None else size for axis, size in enumerate(value.shape)]
    return ("batch", *sizes[1:]) if sizes else ()
