"""``load``: an ONNX file as a model that runs without onnx and without torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.errors import OnnxError
from recurra.onnx.model import GraphModel

if TYPE_CHECKING:
    from onnx import ModelProto


def load(path: str | os.PathLike[str]) -> GraphModel:
    """Load an ONNX model; its RNN, GRU and LSTM nodes run on recurra's engine.

    The package onnx is needed while loading, not afterwards. Nothing in the file is executed.

    Args:
        path: of the ``.onnx`` file; data files that it names are read from its folder alone.

    Raises:
        ModuleNotFoundError: onnx is not installed; the message says what to install.
        OSError: the file cannot be read.
        OnnxError: it is no valid ONNX model, or needs what is not supported; the message lists operators, attributes,
            element types and opsets, with the names of their nodes.
    """
    try:
        import onnx  # noqa: F401  (asked for here, to say what to install)
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        hint = 'recurra.onnx.load needs onnx; run: pip install "recurra[onnx]"'
        raise ModuleNotFoundError(hint, name="onnx") from None
    from recurra.onnx.build import build
    from recurra.onnx.tensors import Tensors

    path = Path(path)
    return build(_read(path), Tensors(path), path.name)


def _read(path: Path) -> ModelProto:
    """The file's content, checked, with local functions put in the place of their calls."""
    from google.protobuf.message import DecodeError
    from onnx import ModelProto, checker, inliner

    proto = ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
        checker.check_model(_with_shapes(proto) or os.fspath(path))
        return inliner.inline_local_functions(proto) if proto.functions else proto
    except (DecodeError, checker.ValidationError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:500]
        raise OnnxError(f"{path.name} is no valid ONNX model: {reason}") from None


def _with_shapes(proto: ModelProto) -> ModelProto | None:
    """A copy with a shape for each input and output that has none, which the checker asks for; None if all have one."""
    from onnx import ModelProto

    def unknown(model: ModelProto) -> list[Any]:
        declared = [value.type.tensor_type for value in (*model.graph.input, *model.graph.output)]
        return [tensor for tensor in declared if tensor.elem_type and not tensor.HasField("shape")]

    if not unknown(proto):
        return None
    made = ModelProto()
    made.CopyFrom(proto)
    for tensor in unknown(made):
        tensor.shape.SetInParent()
    return made
