"""``export``: a model in an ONNX file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from recurra.errors import OnnxError
from recurra.files import write_atomically
from recurra.model import Description

OPSET = 18


def export(
    model: Any,
    path: str | os.PathLike[str],
    *,
    lengths: bool = False,
    optional_states: bool = True,
    opset: int = OPSET,
) -> None:
    """Put a model in an ONNX file, replacing what is there in one step; it runs as in evaluation mode.

    Any number of steps and any batch go through one file. Inputs and outputs of the graph, T steps, B sequences:

    - ``x``: (T, B, features), with ``batch_first`` (B, T, features), of a cell (B, features); before an Embedding int64
      without the features.
    - ``lengths``: int64 (B,), from 0 to T, where asked for. Behind its end a sequence's states stay as they are and the
      output is 0; a second direction begins at the end.
    - ``h_0``, ``c_0`` and so on: a value for each state of the cell, by its name; (layers * directions, B, size), of a
      cell (B, size). Where several parts are recurrent, the part's name stands in front: ``2.h_0``.
    - ``output``: as x, with the last part's features.
    - ``h_n``, ``c_n`` and so on: the last states. Given back as ``h_0``, ``c_0`` they go on where a sequence stopped.

    The cells of torch.nn, peephole_lstm and gru_reset_before become RNN, LSTM and GRU nodes in float32; every other
    cell, and all in float64, which onnxruntime's nodes do not compute, a Scan of its program.

    Args:
        model: a torch module that ``recurra.save`` could write; a ``recurra.runtime`` model; or a
            ``recurra.model.Description``.
        path: the file.
        lengths: whether the graph has the input ``lengths``. Default False.
        optional_states: whether the states have the default zero, so that they may be left out. ONNX calls these
            initializers that can be overridden; some runtimes take them for constants. Default True.
        opset: the version of ONNX's operators, 18 to 24. Default 18.

    Raises:
        ModuleNotFoundError: onnx is not installed; the message says what to install.
        TypeError: the model is something else, or opset is no whole number.
        OnnxError: the model cannot be an ONNX graph, or the file cannot be written; the message says why.
        FileFormatError: a torch module has a part that is not known; the message names it.
    """
    try:
        import onnx  # noqa: F401  (asked for here, to say what to install)
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        hint = 'recurra.onnx.export needs onnx; run: pip install "recurra[onnx]"'
        raise ModuleNotFoundError(hint, name="onnx") from None
    if not isinstance(opset, int) or isinstance(opset, bool):
        raise TypeError(f"opset must be a whole number, not {type(opset).__name__}")
    from recurra.onnx.exporting.assembly import assemble

    made = assemble(_described(model), lengths=lengths, optional_states=optional_states, opset=opset)
    try:
        write_atomically(Path(path), made.SerializeToString(deterministic=True))
    except OSError as error:
        raise OnnxError(f"{path} cannot be written: {error.strerror or error}") from None


def _described(model: Any) -> Description:
    """The description of whatever is a model; torch is asked only where it is imported already."""
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
