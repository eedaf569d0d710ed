"""``export``: writes a model to an ONNX file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.errors import OnnxError
from recurra.files import write_atomically
from recurra.graph.model import GraphModel
from recurra.model import Description

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18  # of models that have layers; a graph has its own


def export(
    model: Any,
    path: str | os.PathLike[str],
    *,
    lengths: bool = False,
    optional_states: bool = True,
    opset: int | None = None,
) -> None:
    """Write a model to an ONNX file, as it runs in evaluation mode; an existing file is replaced in one step.

    The graph takes any number of steps and any batch. Its inputs and outputs, for T steps and B sequences:

    - ``x``: (T, B, features), with ``batch_first`` (B, T, features), for a cell (B, features). A model that begins with
      an Embedding takes int64, without the features.
    - ``lengths``: int64 (B,), from 0 to T, if asked for. After its end a sequence's states stay as they are, and its
      output is 0; a second direction begins at the sequence's end.
    - ``h_0``, ``c_0`` and so on: an input for each state of the cell, by its name; (layers * directions, B, size), for
      a cell (B, size). If several parts are recurrent, the part's name comes first: ``2.h_0``.
    - ``output``: as x, with the last part's features.
    - ``h_n``, ``c_n`` and so on: the last states. Passed as ``h_0``, ``c_0``, they continue where a sequence stopped.

    The graph of an EncoderDecoder has the inputs ``past`` and ``future``, those of its encoder and its decoder, and
    ``output``. So has that of an Ensemble of these, with the members as the output's first dimension.

    In float32 the cells of torch.nn, peephole_lstm and gru_reset_before become RNN, LSTM and GRU nodes. Every other
    cell becomes a Scan of its program, and so do all cells in float64, which onnxruntime's nodes do not compute.

    A ``GraphModel``, of a file that ``recurra.save(…, example=…)`` wrote or of ``recurra.onnx.load``, is written with
    its own inputs, outputs and opset; its recurrent layers become the same nodes.

    Args:
        model: a torch module that ``recurra.save`` could write without an example; a ``recurra.runtime`` model; or a
            ``recurra.model.Description``.
        path: path of the file.
        lengths: whether the graph has the input ``lengths``. Default False.
        optional_states: whether the states may be left out, as their default is zero. In ONNX these defaults are
            initializers that can be overridden; some runtimes take them for constants. Default True.
        opset: the version of ONNX's operators, 18 to 24. Default 18, for a graph its own.

    Raises:
        ModuleNotFoundError: onnx is not installed; the message says what to install.
        TypeError: the model is something else, or opset is no whole number.
        OnnxError: the model cannot be an ONNX graph, or the file cannot be written; the message says why.
        FileFormatError: a torch module has a part that is not known; the message names it.
    """
    try:
        import onnx  # noqa: F401  (imported here, to say what to install)
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        hint = 'recurra.onnx.export needs onnx; run: pip install "recurra[onnx]"'
        raise ModuleNotFoundError(hint, name="onnx") from None
    if opset is not None and (not isinstance(opset, int) or isinstance(opset, bool)):
        raise TypeError(f"opset must be a whole number, not {type(opset).__name__}")
    if isinstance(model, GraphModel):
        proto = _of_graph(model, lengths, optional_states, opset)
    else:
        from recurra.onnx.exporting.assembly import assemble

        number = OPSET if opset is None else opset
        proto = assemble(_described(model), lengths=lengths, optional_states=optional_states, opset=number)
    try:
        write_atomically(Path(path), proto.SerializeToString(deterministic=True))
    except OSError as error:
        raise OnnxError(f"{path} cannot be written: {error.strerror or error}") from None


def _of_graph(model: GraphModel, lengths: bool, optional_states: bool, opset: int | None) -> ModelProto:
    """The ONNX model of a graph, which has its own inputs and opset."""
    from recurra.onnx.exporting.from_graph import from_graph

    own = model.source.opset
    if lengths or not optional_states or opset not in (None, own):
        raise OnnxError(f"{model.name} is a graph: it is written with its own inputs, and in its own opset {own}")
    return from_graph(model.source)


def _described(model: Any) -> Description:
    """The description of a model; torch's modules are looked for only if torch is imported already."""
    if isinstance(model, Description):
        return model
    description = getattr(model, "description", None)
    if isinstance(description, Description):
        return description
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        from recurra.nn.parts import describe

        return describe(model)
    kinds = "a torch module, a model of recurra.runtime or a recurra.model.Description"
    raise TypeError(f"export needs {kinds}, not {type(model).__name__}")
