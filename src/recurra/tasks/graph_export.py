"""The errors of a graph whose weights were made narrower, beside the graph as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from recurra.conversion.arrays import Arrays
from recurra.errors import OnnxError, RunError
from recurra.runtime import GraphModel
from recurra.tasks.export import Comparison

Array = np.ndarray[Any, np.dtype[Any]]
_SIZES = (16, 2, 1)  # of free dimensions of made inputs, tried in turn


def compare_graphs(before: GraphModel, after: GraphModel, sample: Path | None = None, seed: int = 0) -> Comparison:
    """Measure the errors of a graph with narrower weights; with several outputs, those of the worst.

    Args:
        before: the graph as it was.
        after: the same with narrower weights.
        sample: an .npz with an array for each input. Default None: noise, and tokens of the smallest table.
        seed: of the noise.

    Raises:
        RunError: the file's arrays are not the inputs, or the graph runs on no made input.
        FileFormatError: the file cannot be read.
        OnnxError: the graph does not take the file's arrays.
    """
    feeds, text = _made(before, seed) if sample is None else (_given(before, sample), sample.name)
    largest = relative = 0.0
    for known, output in zip(before.run(None, feeds), after.run(None, feeds), strict=True):
        exact = known.astype(np.float64)
        difference, size = output - exact, float(np.sqrt(np.mean(exact**2))) if exact.size else 0.0
        largest = max(largest, float(np.abs(difference).max(initial=0)))
        relative = max(relative, float(np.sqrt(np.mean(difference**2))) / size if size else 0.0)
    return Comparison(largest, relative, text, None, None)


def _given(model: GraphModel, path: Path) -> dict[str, Array]:
    """The inputs that a file holds, by name; a single array is the only input."""
    arrays = dict(Arrays.of(path).values)
    names = [each.name for each in model.inputs]
    if list(arrays) == ["x"] and len(names) == 1:
        arrays = {names[0]: arrays["x"]}
    strange = [name for name in arrays if name not in names]
    if strange:
        raise RunError(f"{path}: the arrays of a sample are {', '.join(names)}; found {', '.join(arrays)[:200]}")
    return arrays


def _made(model: GraphModel, seed: int) -> tuple[dict[str, Array], str]:
    """Inputs that the graph runs on: standard normal numbers, and tokens."""
    graph = model.source.graph
    read = [graph.tensors[node.inputs[0]] for node in graph.nodes if node.operator == "Gather"
            and node.inputs[0] in graph.tensors]  # fmt: skip
    count = min([array.shape[0] for array in read if array.ndim == 2], default=2)
    for size in _SIZES:
        draw = np.random.default_rng(seed)
        feeds: dict[str, Array] = {}
        for declared in model.inputs:
            if declared.is_optional:
                continue
            shape = [each if isinstance(each, int) else size for each in declared.shape or ()]
            dtype = np.dtype(np.float32) if declared.dtype is None else declared.dtype
            drawn = draw.standard_normal(shape) if dtype.kind == "f" else draw.integers(0, max(count, 1), shape)
            feeds[declared.name] = drawn.astype(dtype)
        try:
            model.run(None, feeds)
        except OnnxError:
            continue
        return feeds, "noise; --sample FILE measures on your input"
    raise RunError(f"{model.name} runs on no made input: --sample FILE gives one, an .npz with an array for each input")
