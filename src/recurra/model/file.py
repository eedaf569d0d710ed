"""A model in one file: written in one step, and read without running anything that it holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from recurra.errors import FileFormatError
from recurra.model.description import Description, Weight
from recurra.model.file_errors import refusing
from recurra.model.safetensors import Tensor, pack, unpack
from recurra.model.serial import from_text, to_text

MODEL = "model.safetensors"  # the model's file in the folder of a training
CONFIG = "config.json"  # the file of the settings, beside it
KEY = "recurra"  # the description's key in the file's metadata
GRAPH_KEY = "recurra.graph"  # the key of a graph in the metadata of a file that holds one in place of a description
SCALE = ".scale"  # follows a weight's name in the name of its rows' scales
_NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I8": "int8"}
_CODES = {name: code for code, name in _NAMES.items()}


def write(description: Description, path: str | os.PathLike[str]) -> None:
    """Write a model to a file; what is there is replaced in one step.

    Raises:
        FileFormatError: the file cannot be written, or a reader would refuse it.
    """
    from recurra.files import write_atomically  # a process that only reads models starts faster without it

    with refusing(path, "written"):
        write_atomically(path, pack(*contents_of(description)))


def contents_of(description: Description) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The arrays and the metadata of a model's file.

    Raises:
        FileFormatError: a reader would refuse the description.
    """
    tensors: dict[str, Tensor] = {}
    tied: dict[str, str] = {}
    first: dict[int, str] = {}
    for name, weight in description.weights.items():
        if id(weight) in first:
            tied[name] = first[id(weight)]
            continue
        first[id(weight)] = name
        tensors[name] = Tensor(_CODES[weight.dtype], weight.data)
        if weight.scale is not None:
            tensors[name + SCALE] = Tensor("F32", weight.scale)
    text = to_text(description.root, tied, description.annotations)
    from_text(text)
    return tensors, {KEY: text}


def _undescribed(weights: Mapping[str, Weight]) -> Description:
    """Refuse weights without a description.

    Raises:
        FileFormatError: always.
    """
    raise FileFormatError("the file has no description of a model")


def read(
    path: str | os.PathLike[str], plain: Callable[[Mapping[str, Weight]], Description] = _undescribed
) -> Description:
    """Read the model of a file.

    Args:
        path: the file's path.
        plain: makes a model of a file that holds weights alone, from their names and shapes; the numbers are read
            afterwards. Default: such a file is refused.

    Raises:
        FileFormatError: the file cannot be read, is damaged, exceeds a cap, or holds something else; nothing was run.
    """
    with refusing(path):
        return unpack(path, lambda tensors, metadata: model_of(tensors, metadata, plain))


def read_weights(path: str | os.PathLike[str]) -> dict[str, Weight]:
    """Read the weights of a file, by name, whatever model they belong to.

    Raises:
        FileFormatError: the file cannot be read, is damaged, exceeds a cap, or has numbers of another dtype.
    """
    with refusing(path):
        return unpack(path, _all_weights)


def model_of(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str], plain: Callable[[Mapping[str, Weight]], Description]
) -> Description:
    """The model that a file's arrays and metadata describe; see ``read`` for ``plain``."""
    if GRAPH_KEY in metadata:
        raise FileFormatError(
            "the file holds a graph of operators, not layers: recurra.runtime.load runs it, recurra inspect lists it"
        )
    if KEY not in metadata:
        return plain({name: _weight(name, tensor) for name, tensor in tensors.items()})
    root, tied, annotations = from_text(metadata[KEY])
    return Description(root, _weights(tensors, tied), annotations)


def _all_weights(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, Weight]:
    return _weights(tensors, from_text(metadata[KEY])[1] if KEY in metadata else {})


def _weights(tensors: Mapping[str, Tensor], tied: Mapping[str, str]) -> dict[str, Weight]:
    weights: dict[str, Weight] = {}
    for name, tensor in tensors.items():
        if name.endswith(SCALE) and tensors.get(name.removesuffix(SCALE), tensor).dtype == "I8":
            continue
        weights[name] = _weight(name, tensor, tensors.get(name + SCALE) if tensor.dtype == "I8" else None)
    for name, other in tied.items():
        if name in weights or other not in tensors or other not in weights:
            raise FileFormatError(f"weight {name[:100]} cannot be tied to {other[:100]}")
        weights[name] = weights[other]
    return weights


def _weight(name: str, tensor: Tensor, scale: Tensor | None = None) -> Weight:
    kind = _NAMES.get(tensor.dtype)
    if kind is None:
        raise FileFormatError(f"weight {name[:100]} has the dtype {tensor.dtype}; known are {', '.join(_CODES)}")
    if (kind == "int8") != (scale is not None):
        raise FileFormatError(f"weight {name[:100]} is int8 without the scales of its rows, {name[:100]}{SCALE}")
    if scale is not None and (scale.dtype != "F32" or scale.data.ndim != 1):
        raise FileFormatError(f"{name[:100]}{SCALE} must be F32 (rows,)")
    return Weight(tensor.data, kind, None if scale is None else scale.data)
