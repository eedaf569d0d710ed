"""``save`` and ``load``: a module in one safetensors file."""

from __future__ import annotations

import os
from collections.abc import Mapping

from torch import Tensor, nn

from recurra.conversion.reading import read
from recurra.errors import FileFormatError
from recurra.model import Weight, write
from recurra.model.file import read_weights
from recurra.model.file_errors import refusing
from recurra.nn.parts import build, describe, tensor_of
from recurra.vocabulary import Vocabulary

PathLike = str | os.PathLike[str]


def save(module: nn.Module, path: PathLike, *, vocabulary: Vocabulary | None = None) -> None:
    """Put a module in one safetensors file: weights under torch's names, and what the module is, equations included.

    What is there before is replaced in one step: after a failure or a power cut there is the old file or the new one.
    ``recurra.load`` and, without torch, ``recurra.runtime.load`` read it; safetensors does too. The cells' Python
    source is not needed again. torch.nn's recurrent modules are saved as recurra's.

    Args:
        module: a recurrent layer or cell, Linear, Embedding, LayerNorm, RMSNorm, Dropout, an activation; or Sequential
            or ``recurra.nn.Stack`` of such parts, nested as you like.
        path: the file.
        vocabulary: the tokens of a language model, to go with it.

    Raises:
        FileFormatError: a part is not known, does something else than its class, or does not fit behind the one before
            it; or the file cannot be written. The message names it.
        TypeError: the module or the vocabulary is none.
    """
    if vocabulary is not None and not isinstance(vocabulary, Vocabulary):
        raise TypeError(f"vocabulary must be a recurra.vocabulary.Vocabulary, not {type(vocabulary).__name__}")
    write(describe(module, vocabulary), path)


def load(path: PathLike, *, into: nn.Module | None = None) -> nn.Module:
    """The module of a file, on the CPU and in evaluation mode. Nothing in the file is executed.

    Weights keep their dtype (of int8 ones it is float32). A plain safetensors file with the state_dict of one
    torch.nn RNN, LSTM or GRU gives recurra's layer with these weights.

    Args:
        path: of a file that ``save`` wrote, or a state_dict in safetensors.
        into: a module that the weights belong to, by name: it gets them, keeps its mode, and is returned. For files
            without a description, such as the state_dict of a whole model.

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
    weights = read_weights(path)
    with refusing(path):
        _check(weights, into.state_dict())
    into.load_state_dict({name: tensor_of(weight) for name, weight in weights.items()})
    return into


def _check(weights: Mapping[str, Weight], own: Mapping[str, Tensor]) -> None:
    for problem, names in (
        ("is missing", own.keys() - weights.keys()),
        ("is not part of the module", weights.keys() - own.keys()),
    ):
        if names:
            raise FileFormatError(f"weight {min(names)[:100]} {problem}")
    for name, tensor in own.items():
        if tensor.is_meta:
            raise FileFormatError(
                f"the module's {name} is on the device meta: first call module.to_empty(device='cpu')"
            )
    for name, weight in weights.items():
        if weight.shape != own[name].shape:
            raise FileFormatError(f"weight {name} has shape {weight.shape}, the module needs {tuple(own[name].shape)}")
