"""A graph in one file: the container of model files, with the graph as JSON in its metadata."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

import numpy as np

from recurra.errors import FileFormatError
from recurra.graph.graph import ModelGraph
from recurra.graph.halves import HalfArrays, half_of
from recurra.graph.serial import from_text, to_text
from recurra.model.file import GRAPH_KEY
from recurra.model.file_errors import refusing
from recurra.model.safetensors import DTYPES, Tensor, pack, unpack

_CODES = {dtype.name: code for code, dtype in DTYPES.items() if code != "BF16"}


def write_graph(model: ModelGraph, path: str | os.PathLike[str]) -> None:
    """Write a graph to a file; what is there is replaced in one step.

    Raises:
        FileFormatError: the file cannot be written, or a reader would refuse it.
    """
    from recurra.files import write_atomically  # a process that only reads models starts faster without it

    with refusing(path, "written"):
        write_atomically(path, pack(*graph_contents(model)))


def graph_contents(model: ModelGraph) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The arrays and the metadata of a graph's file; matrices whose numbers all are bfloat16 are stored as such.

    Raises:
        FileFormatError: a reader would refuse the graph.
    """
    text, arrays = to_text(model)
    from_text(text, arrays)
    tensors = {}
    for name, array in arrays.items():
        bits = half_of(array)
        tensors[name] = Tensor(_CODES[array.dtype.name], array) if bits is None else Tensor("BF16", bits)
    return tensors, {GRAPH_KEY: text}


def read_graph(path: str | os.PathLike[str]) -> ModelGraph:
    """Read the graph of a file.

    Raises:
        FileFormatError: the file cannot be read, is damaged, exceeds a cap, or holds something else; nothing was run.
    """
    with refusing(path):
        halves = HalfArrays()
        model, arrays = unpack(path, partial(graph_of, halves=halves))
        check_numbers(arrays)
        halves.fill()
        return model


def graph_of(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str], halves: HalfArrays
) -> tuple[ModelGraph, Mapping[str, Tensor]]:
    """The graph that a file's arrays and metadata describe, and its arrays, whose numbers may come later.

    Args:
        tensors: the arrays.
        metadata: the metadata.
        halves: gets the arrays of bfloat16, and fills those of the graph once the numbers are there.
    """
    if GRAPH_KEY not in metadata:
        raise FileFormatError("the file holds no graph")
    arrays = {
        name: halves.widened(tensor.data) if tensor.dtype == "BF16" else tensor.data for name, tensor in tensors.items()
    }
    return from_text(metadata[GRAPH_KEY], arrays), tensors


def check_numbers(tensors: Mapping[str, Tensor]) -> None:
    """Refuse truth values that are neither 0 nor 1.

    Raises:
        FileFormatError: there are some.
    """
    for name, tensor in tensors.items():
        if tensor.dtype == "BOOL" and tensor.data.size and tensor.data.view(np.uint8).max() > 1:
            raise FileFormatError(f"array {name[:100]} is of truth values, and holds others than 0 and 1")
