"""``load``: an ONNX file as a model that runs without onnx and without torch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.errors import OnnxError
from recurra.graph.model import GraphModel

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from onnx import ModelProto, NodeProto


_MOST_NODES = 100_000  # of a model whose functions are inlined
_DEEPEST_CALLS = 100


def load(path: str | os.PathLike[str]) -> GraphModel:
    """Load an ONNX model; its RNN, GRU and LSTM nodes run on recurra's engine.

    Loading needs the package onnx, running does not. Nothing in the file is executed.

    Args:
        path: path of the ``.onnx`` file; data files that it names are read from its folder alone.

    Raises:
        ModuleNotFoundError: onnx is not installed; the message says what to install.
        OSError: the file cannot be read.
        OnnxError: the file is no valid ONNX model, or something in it is not supported; the message lists operators,
            attributes, element types and opsets, with the names of their nodes.
    """
    try:
        import onnx  # noqa: F401  (imported here, to say what to install)
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        hint = 'recurra.onnx.load needs onnx; run: pip install "recurra[onnx]"'
        raise ModuleNotFoundError(hint, name="onnx") from None
    from recurra.graph.build import build
    from recurra.onnx.loading.read import read
    from recurra.onnx.loading.tensors import Tensors

    path = Path(path)
    graph, problems = read(_checked(path), Tensors(path))
    return build(graph, path.name, problems)


def _checked(path: Path) -> ModelProto:
    """Read the file, check its content, and inline its local functions."""
    from google.protobuf.message import DecodeError
    from onnx import ModelProto, checker, inliner

    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OnnxError(f"{path.name or path} is not a plain file")  # reading a pipe would block
    proto = ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
        _check_texts(proto)
        checker.check_model(_with_shapes(proto) or os.fspath(path))
        _check_calls(proto)
        return inliner.inline_local_functions(proto) if proto.functions else proto
    except (DecodeError, checker.ValidationError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:500]
        raise OnnxError(f"{path.name} is no valid ONNX model: {reason}") from None


def _check_calls(proto: ModelProto) -> None:
    """Refuse functions that become too many nodes when all calls are inlined.

    Raises:
        ValueError: they do, a function calls itself, or calls are nested too deeply.
    """
    functions = {(each.domain, each.name): each for each in proto.functions}
    counts: dict[tuple[str, str], int] = {}
    open_: set[tuple[str, str]] = set()

    def nodes_of(nodes: Iterable[NodeProto]) -> int:
        count = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            count += called(key) if key in functions else 1
            for attribute in node.attribute:
                count += sum(nodes_of(graph.node) for graph in (attribute.g, *attribute.graphs))
            if count > _MOST_NODES:
                raise ValueError(f"its functions become more than {_MOST_NODES} nodes")
        return count

    def called(key: tuple[str, str]) -> int:
        if key in open_ or len(open_) > _DEEPEST_CALLS:
            raise ValueError(f"function {key[1]!r} calls itself, or functions call functions too deeply")
        if key not in counts:
            open_.add(key)
            counts[key] = nodes_of(functions[key].node)
            open_.remove(key)
        return counts[key]

    if functions:
        nodes_of(proto.graph.node)


def _check_texts(message: Message) -> None:
    """Refuse names that are not UTF-8: protobuf's reader hands them on as bytes.

    Raises:
        ValueError: there is such a name.
    """
    for field, value in message.ListFields():
        if field.type not in (field.TYPE_STRING, field.TYPE_MESSAGE):
            continue
        for each in value if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else (value,):
            if isinstance(each, bytes):
                raise ValueError(f"{field.full_name} {each[:50]!r} is not UTF-8")
            if not isinstance(each, str):
                _check_texts(each)


def _with_shapes(proto: ModelProto) -> ModelProto | None:
    """A copy in which every input and output has a shape, as the checker demands; None if all have one already.

    The copy leaves out tensors in external files, as it does not know the folder. They are checked when they are read.
    """
    from onnx import ModelProto, TensorProto

    def unknown(model: ModelProto) -> list[Any]:
        declared = [value.type.tensor_type for value in (*model.graph.input, *model.graph.output)]
        return [tensor for tensor in declared if tensor.elem_type and not tensor.HasField("shape")]

    if not unknown(proto):
        return None
    copy = ModelProto()
    copy.CopyFrom(proto)
    for tensor in unknown(copy):
        tensor.shape.SetInParent()
    for initializer in copy.graph.initializer:
        if initializer.data_location == TensorProto.EXTERNAL:
            initializer.ClearField("external_data")
            initializer.ClearField("data_location")
            initializer.dims[:] = [0]
    return copy
