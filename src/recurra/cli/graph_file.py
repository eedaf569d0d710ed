"""Files that hold a graph, for the commands that take a model's file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.errors import RunError
from recurra.graph.file import read_graph
from recurra.graph.graph import Graph, ModelGraph
from recurra.model.file import GRAPH_KEY
from recurra.model.file_errors import refusing
from recurra.model.safetensors import metadata_of

if TYPE_CHECKING:
    from recurra.tasks.export import Comparison


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


def export_graph(
    model: ModelGraph, path: Path, out: Path | None, onnx: Path | None, weights: str, sample: Path | None
) -> Comparison | None:
    """Write the graph of a file to others, and compare narrower weights with its own.

    Args:
        model: the graph.
        path: its file.
        out: a file for the runtime; None for none.
        onnx: a file for ONNX runtimes; None for none.
        weights: ``"as-is"``, ``"bf16"`` or ``"int8"``.
        sample: the input to compare on; None for one that is made.

    Raises:
        RunError: ``weights`` is something else.
    """
    from recurra.graph.build import build
    from recurra.graph.narrow import narrowed
    from recurra.tasks.export import WEIGHTS

    if weights not in WEIGHTS:
        raise RunError(f"--weights must be one of {', '.join(WEIGHTS)}; got {weights!r}")
    is_narrower = weights != WEIGHTS[0]
    made = build(narrowed(model, weights) if is_narrower else model, path.name)
    if out is not None:
        made.save(out)
    if onnx is not None:
        from recurra.onnx import export

        export(made, onnx)
    if not is_narrower:
        return None
    from recurra.tasks.graph_export import compare_graphs

    return compare_graphs(build(model, path.name), made, sample)


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
