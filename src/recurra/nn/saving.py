"""``save`` and ``load``: a module in one safetensors file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from recurra.conversion.reading import read
from recurra.errors import FileFormatError
from recurra.graph.file import write_graph
from recurra.graph.graph import ModelGraph
from recurra.graph.model import GraphModel
from recurra.model import write
from recurra.model.description import check_fit
from recurra.model.file import read_weights
from recurra.model.file_errors import refusing
from recurra.nn.parts import build, describe, tensor_of
from recurra.vocabulary import Vocabulary

PathLike = str | os.PathLike[str]


def save(
    module: nn.Module | GraphModel,
    path: PathLike,
    *,
    example: Any = None,
    output_names: Sequence[str] | None = None,
    dynamic_shapes: Any = None,
    vocabulary: Vocabulary | None = None,
    annotations: Mapping[str, object] | None = None,
) -> None:
    """Save a module in one safetensors file: its weights under torch's names, and its description with all equations.

    An existing file is replaced in one step: after a failure or a power cut there is the old file or the new one.
    ``recurra.load`` and, without torch, ``recurra.runtime.load`` read the file; safetensors does too. The cells' Python
    source is not needed again. torch.nn's recurrent modules are saved as recurra's.

    With ``example`` any module is saved, as the graph that torch.export makes of its call in evaluation mode: recurrent
    layers, and the operations around them. ``recurra.runtime.load`` runs it, ``model(x)``, with forward's tensors as
    inputs and its results as a flat tuple. Sizes that the module leaves free are free, batch and time for example.

    Args:
        module: with ``example`` any module; or a ``GraphModel``, such as ``recurra.onnx.load`` gives. Without it a
            recurrent layer or cell, Linear, Embedding, LayerNorm, RMSNorm, Dropout, an activation; or Sequential or
            ``recurra.nn.Stack`` of such parts, nested as you like; an EncoderDecoder or an Ensemble of such modules.
        path: the file.
        example: the arguments of one call: a tensor, a tuple of positional arguments, or a dictionary of named ones.
            Numbers and None in it are fixed. Default: the module is saved part by part.
        output_names: with ``example``, the names of the outputs. Default: the keys of a dictionary that the module
            returns, else ``output``, or ``output_0``, ``output_1`` … for several.
        dynamic_shapes: with ``example``, which sizes are free, as ``torch.export.export`` takes it. Default: all that
            can be.
        vocabulary: the tokens of a language model; the same as ``annotations={"vocabulary": …}``. Default: none.
        annotations: facts that go with the model, by name: ``"vocabulary"``, or for a forecaster ``"forecaster"``, a
            ``recurra.series.recipe.Recipe``. ``recurra.runtime.load`` returns them. Default: none.

    Raises:
        FileFormatError: a part is not known, does something else than its class, or does not fit behind the one before
            it; an annotation is not known, or needs another model; or the file cannot be written. The message names it.
            With ``example``: an operation is not supported; the message names its line in the source.
        TypeError: the module or an annotation is of the wrong type, or the vocabulary is given twice.
    """
    if example is not None or isinstance(module, GraphModel):
        if vocabulary is not None or annotations:
            raise TypeError("a graph takes no vocabulary and no annotations")
        write_graph(_graph_of(module, example, output_names, dynamic_shapes), path)
        return
    if output_names is not None or dynamic_shapes is not None:
        raise TypeError("output_names and dynamic_shapes need an example")
    given = dict(annotations or {})
    if vocabulary is not None:
        if "vocabulary" in given:
            raise TypeError("give the vocabulary once: as vocabulary=, or among the annotations")
        given["vocabulary"] = vocabulary
    write(describe(module, given), path)


def _graph_of(module: nn.Module | GraphModel, example: Any, output_names: Any, dynamic_shapes: Any) -> ModelGraph:
    if isinstance(module, GraphModel):
        if any(each is not None for each in (example, output_names, dynamic_shapes)):
            raise TypeError("a GraphModel is saved as it is, without an example")
        return module.source
    if not isinstance(module, nn.Module):
        raise TypeError(f"save takes a torch.nn.Module, not {type(module).__name__}")
    from recurra.nn.graphs.export import export_graph  # torch.export takes long to import

    return export_graph(module, example, output_names, dynamic_shapes)


def load(path: PathLike, *, into: nn.Module | None = None) -> nn.Module:
    """Load a module from a file, on the CPU and in evaluation mode. Nothing in the file is executed.

    Weights keep their dtype (int8 weights become float32). A plain safetensors file with the state_dict of one
    torch.nn RNN, LSTM or GRU gives recurra's layer with these weights.

    Args:
        path: a file that ``save`` wrote, or a state_dict in safetensors.
        into: a module that gets the weights by name, keeps its mode, and is returned. This is for files without a
            description, such as the state_dict of a whole model. Default: a new module.

    Raises:
        FileFormatError: the file cannot be read, is damaged, or goes beyond a cap; or with ``into``, the names or
            shapes of its weights are not the module's, or the module is on the device meta.
        TypeError: ``into`` is no module.
    """
    if into is None:
        description = read(path)
        with refusing(path):
            return build(description)
    if not isinstance(into, nn.Module):
        raise TypeError(f"into must be a torch.nn.Module, not {type(into).__name__}")
    weights, own = read_weights(path), into.state_dict()
    with refusing(path):
        check_fit(weights, {name: tuple(tensor.shape) for name, tensor in own.items()}, "module")
        for name, tensor in own.items():
            if tensor.is_meta:
                raise FileFormatError(
                    f"the module's {name} is on the device meta: first call module.to_empty(device='cpu')"
                )
    into.load_state_dict({name: tensor_of(weight) for name, weight in weights.items()})
    return into
