"""Files that hold a graph, for the commands that take a model's file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from recurra.errors import RunError
from recurra.graph.file import read_graph
from recurra.graph.graph import Graph, ModelGraph
from recurra.model.file import GRAPH_KEY
from recurra.model.file_errors import refusing
from recurra.model.safetensors import metadata_of


def graph_in(path: Path) -> ModelGraph | None:
    """The graph of a file; None if the path is no file, or one that holds something else."""
    if not path.is_file():
        return None
    try:
        with refusing(path):
            is_graph = GRAPH_KEY in metadata_of(path)
    except ValueError:  # another reader says what the file is
        return None
    return read_graph(path) if is_graph else None


def export_graph(model: ModelGraph, path: Path, out: Path | None, onnx: Path | None, others: bool) -> None:
    """Write the graph of a file to others.

    Raises:
        RunError: there is an option that is for layers alone.
    """
    from recurra.graph.build import build

    if others:
        raise RunError(f"{path} holds a graph: --weights, --compute, --sample and --lengths are for models of layers")
    made = build(model, path.name)
    if out is not None:
        made.save(out)
    if onnx is not None:
        from recurra.onnx import export

        export(made, onnx)


def lines_of(model: ModelGraph) -> list[str]:
    """The lines that ``recurra inspect`` shows of a graph: inputs, outputs, operators with counts, weights."""
    graph = model.graph
    counts = Counter(_operators(graph))
    operators = ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in counts.most_common())
    return [
        f"a graph of operators, opset {model.opset}",
        *(f"input   {each}" for each in graph.inputs),
        *(f"output  {each}" for each in graph.outputs),
        f"{sum(counts.values())} nodes: {operators}",
        f"{sum(array.size for array in graph.tensors.values()):,} weights",
    ]


def _operators(graph: Graph) -> list[str]:
    """The operators of a graph and of the graphs inside it."""
    inner = [value for node in graph.nodes for value in node.attributes.values() if isinstance(value, Graph)]
    return [*(node.operator for node in graph.nodes), *(name for each in inner for name in _operators(each))]
