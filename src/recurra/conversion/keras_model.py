"""Whole models of Keras: the chain of all layers as parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from recurra.conversion.around import embedding, output
from recurra.conversion.arrays import Arrays
from recurra.conversion.keras_config import KerasLayer
from recurra.conversion.keras_settings import RECURRENT
from recurra.conversion.layer import BuiltPart, Choice, layer
from recurra.conversion.names import find, keras_scheme
from recurra.errors import RecurraError
from recurra.model import Part
from recurra.model.kinds import features

# Layers that change nothing when a model is used.
_NOTHING = ("InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "ActivityRegularization")
_ACTIVATIONS: Mapping[str, Part] = {
    "relu": Part("ReLU", {}), "relu6": Part("ReLU6", {}), "tanh": Part("Tanh", {}), "sigmoid": Part("Sigmoid", {}),
    "softmax": Part("Softmax", {"dim": -1}), "logsoftmax": Part("LogSoftmax", {"dim": -1}),
    "elu": Part("ELU", {"alpha": 1.0}), "selu": Part("SELU", {}), "silu": Part("SiLU", {}), "swish": Part("SiLU", {}),
    "softsign": Part("Softsign", {}), "softplus": Part("Softplus", {"beta": 1.0, "threshold": 20.0}),
    "mish": Part("Mish", {}), "gelu": Part("GELU", {"approximate": "none"}), "hardsigmoid": Part("Hardsigmoid", {}),
}  # fmt: skip


def keras_chain(arrays: Arrays, layers: Sequence[KerasLayer], choice: Choice, notes: list[str]) -> list[BuiltPart]:
    """All layers of a model as parts.

    Args:
        arrays: the arrays of the file.
        layers: the layers, one on top of the other.
        choice: the caller's choice for the recurrent ones.
        notes: gets a line for everything that the model does otherwise.

    Raises:
        RecurraError: a layer is of a kind that is not converted, or its arrays do not fit.
    """
    parts: list[BuiltPart] = []
    for number, found in enumerate(layers):
        name, core = f"{found.core.kind.lower()}_{number}", found.core
        width = next((part for part in reversed(parts) if features(part.part)[1] is not None), None)
        if core.kind in _NOTHING:
            continue
        if core.kind in RECURRENT and found.kind != "TimeDistributed":
            _check_recurrent(found, is_last=all(each.kind in _NOTHING for each in layers[number + 1 :]))
            parts.append(layer(name, arrays, found.name, choice, notes))
        elif core.kind in _MAKERS and found.kind != "Bidirectional":
            parts += _MAKERS[core.kind](arrays, name, found, width)
        elif core.kind == "Masking":
            notes.append(f"{found.name[:60]} masks steps: give the model lengths= instead")
        else:
            raise RecurraError(
                f"{found.name[:60]} is a {core.kind[:60]}, which a chain of recurrent, dense and embedding layers "
                "does not have: names=, embedding= and output= say which of the layers to convert"
            )
    return parts


def _check_recurrent(found: KerasLayer, *, is_last: bool) -> None:
    """Refuse a layer behind which other layers would see other numbers than in Keras."""
    core = found.core
    if found.kind != "Bidirectional" and core.settings.get("go_backwards") is True and not is_last:
        raise RecurraError(f"{found.name[:60]} has go_backwards=True: names= converts it alone; reverse its input")
    if found.kind == "Bidirectional" and core.settings.get("return_sequences") is not True:
        raise RecurraError(
            f"{found.name[:60]} gives the last outputs of both directions, return_sequences=False, which a model of "
            "all steps does not have: names= converts it alone"
        )


def _embedding(arrays: Arrays, name: str, found: KerasLayer, before: BuiltPart | None) -> list[BuiltPart]:
    return [replace(embedding(arrays, found.name), name=name)]


def _dense(arrays: Arrays, name: str, found: KerasLayer, before: BuiltPart | None) -> list[BuiltPart]:
    made = replace(output(arrays, found.name, before), name=name)
    return [made, *_activated(f"{name}_activation", found)]


def _activated(name: str, found: KerasLayer) -> list[BuiltPart]:
    """The activation of a layer as a part of its own; none where it is linear."""
    word = found.core.activation("activation", "linear")
    if word == "linear":
        return []
    if word not in _ACTIVATIONS or (word == "hardsigmoid" and found.core.is_older):
        raise RecurraError(f"{found.name[:60]} has the activation {word!r}; known are {', '.join(_ACTIVATIONS)}")
    return [BuiltPart(name, _ACTIVATIONS[word], {}, found.name, word)]


def _activation(arrays: Arrays, name: str, found: KerasLayer, before: BuiltPart | None) -> list[BuiltPart]:
    return _activated(name, found)


_NORM = [keras_scheme(("gamma",), ("beta",))]


def _layer_norm(arrays: Arrays, name: str, found: KerasLayer, before: BuiltPart | None) -> list[BuiltPart]:
    [[roles]] = find("names", arrays.names, found.name, _NORM).scans
    scan = arrays.by_role(roles)
    gamma = scan["gamma"]
    if len(gamma.shape) != 1:
        raise gamma.mismatch("(features,)")
    eps = found.core.settings.get("epsilon", 1e-3)
    settings = {"features": gamma.shape[0], "eps": eps, "elementwise_affine": True, "bias": True}
    beta = scan["beta"].array if "beta" in scan else np.zeros_like(gamma.array)
    weights = {"weight": gamma.array, "bias": beta}
    return [BuiltPart(name, Part("LayerNorm", settings), weights, found.name, f"layer norm {gamma.name} {gamma.shape}")]


PartMaker = Callable[[Arrays, str, KerasLayer, "BuiltPart | None"], "list[BuiltPart]"]
_MAKERS: Mapping[str, PartMaker] = {
    "Embedding": _embedding,
    "Dense": _dense,
    "Activation": _activation,
    "LayerNormalization": _layer_norm,
}
