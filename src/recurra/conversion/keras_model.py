"""Whole models of Keras whose layers form a chain over time, as the parts of a Stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from recurra.conversion.around import embedding, output
from recurra.conversion.arrays import Arrays
from recurra.conversion.keras_config import KerasLayer, sole
from recurra.conversion.keras_graphs.naming import LayerNames
from recurra.conversion.keras_graphs.network import KerasNetwork, TensorPlace
from recurra.conversion.keras_graphs.table import LayerWeights
from recurra.conversion.keras_over_time import POOLED, convolved, last_step, pooled
from recurra.conversion.keras_settings import RECURRENT
from recurra.conversion.layer import BuiltPart, Choice, layer
from recurra.errors import RecurraError
from recurra.model import Part
from recurra.model.kinds import features
from recurra.model.part import Setting

# Layers that change nothing when a model is used.
_NOTHING = ("InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "ActivityRegularization")
_ACTIVATIONS: Mapping[str, Part] = {
    "relu": Part("ReLU", {}), "relu6": Part("ReLU6", {}), "tanh": Part("Tanh", {}), "sigmoid": Part("Sigmoid", {}),
    "softmax": Part("Softmax", {"dim": -1}), "logsoftmax": Part("LogSoftmax", {"dim": -1}),
    "elu": Part("ELU", {"alpha": 1.0}), "selu": Part("SELU", {}), "silu": Part("SiLU", {}), "swish": Part("SiLU", {}),
    "softsign": Part("Softsign", {}), "softplus": Part("Softplus", {"beta": 1.0, "threshold": 20.0}),
    "mish": Part("Mish", {}), "gelu": Part("GELU", {"approximate": "none"}), "hardsigmoid": Part("Hardsigmoid", {}),
}  # fmt: skip


def stack_of(network: KerasNetwork) -> list[KerasLayer] | None:
    """The layers of a model that a ``Stack`` computes as Keras does; None if it needs a graph.

    They form a chain over time, without masks, and what they give is causal, or computed in both directions.
    """
    chain = _chain(network)
    if chain is None or not any(_runs_over_time(found) for found in chain):
        return None
    has_time = True
    for found in chain:
        if found.core.kind in _NOTHING:
            continue
        if not (_fits_over_time(found) if _runs_over_time(found) else _fits_each_step(found)):
            return None
        if _runs_over_time(found) and not has_time:
            return None
        has_time = has_time and not _drops_time(found)
    return chain


def _chain(network: KerasNetwork) -> list[KerasLayer] | None:
    """The layers of a model of one input, each of which takes the output of the one before alone; None for others."""
    shape = network.inputs[0].settings.get("batch_shape") or network.inputs[0].settings.get("batch_input_shape")
    places = [TensorPlace(network.inputs[0].name, 0, 0)]
    for call in network.calls:
        given = {name for name, value in call.options.items() if value is not None} - {"training"}
        if call.inner is not None or list(call.arguments) != places or given or call.number:
            return None
        places = [TensorPlace(call.layer.name, 0, 0)]
    chain = [call.layer for call in network.calls]
    takes_tokens = bool(chain) and chain[0].kind == "Embedding"
    has_time = not isinstance(shape, list) or len(shape) == (2 if takes_tokens else 3)
    return chain if len(network.inputs) == 1 and list(network.outputs) == places and has_time else None


def _runs_over_time(found: KerasLayer) -> bool:
    return found.kind != "TimeDistributed" and found.core.kind in (*RECURRENT, "Conv1D", *POOLED)


def _drops_time(found: KerasLayer) -> bool:
    return found.kind in POOLED or (
        found.core.kind in RECURRENT and found.core.settings.get("return_sequences") is not True
    )


def _fits_over_time(found: KerasLayer) -> bool:
    """Tell whether a part of a Stack is a layer that sees other steps."""
    settings, both = found.core.settings, found.kind == "Bidirectional"
    if found.kind in POOLED:
        return settings.get("data_format", "channels_last") == "channels_last" and not settings.get("keepdims")
    if found.kind == "Conv1D":
        is_causal = settings.get("padding") == "causal" or sole(settings.get("kernel_size")) == 1
        is_plain = sole(settings.get("strides", 1)) == 1 and settings.get("groups", 1) == 1
        is_last = settings.get("data_format", "channels_last") == "channels_last"
        return is_causal and is_plain and is_last and _has_known_activation(found)
    odd = ("go_backwards", "return_state", "time_major")
    if any(settings.get(name) is True for name in odd) or (both and not _is_even(found)):
        return False
    return not both or settings.get("return_sequences") is True or found.settings.get("merge_mode") == "concat"


def _is_even(found: KerasLayer) -> bool:
    """Tell whether both directions of a layer compute alike."""
    backward = found.settings.get("backward_layer")
    second = backward.get("config") if isinstance(backward, dict) else None
    if not isinstance(second, dict):
        return backward is None
    names = ("units", "activation", "recurrent_activation", "use_bias", "reset_after", "return_sequences")
    return all(second.get(name) == found.core.settings.get(name) for name in names)


def _fits_each_step(found: KerasLayer) -> bool:
    """Tell whether parts of a Stack are a layer that computes each step by itself."""
    core = found.core
    if core.kind == "LayerNormalization":
        return not core.settings.get("rms_scaling") and sole(core.settings.get("axis", -1)) in (-1, 2)
    is_made = found.kind != "Bidirectional" and core.kind in _MAKERS and not core.settings.get("mask_zero")
    return is_made and _has_known_activation(found)


def _has_known_activation(found: KerasLayer) -> bool:
    word = found.core.activation("activation", "linear")
    return word == "linear" or (word in _ACTIVATIONS and not (word == "hardsigmoid" and found.core.is_older))


def keras_chain(arrays: Arrays, layers: Sequence[KerasLayer], choice: Choice) -> list[BuiltPart]:
    """All layers of a model as parts.

    Args:
        arrays: the arrays of the file.
        layers: the layers, one on top of the other, that ``stack_of`` found.
        choice: the caller's choice for the recurrent ones.

    Raises:
        RecurraError: the arrays of a layer do not fit.
    """
    parts: list[BuiltPart] = []
    for number, found in enumerate(layers):
        name, core = f"{found.core.kind.lower()}_{number}", found.core
        width = next((part for part in reversed(parts) if features(part.part)[1] is not None), None)
        if not _runs_over_time(found):
            parts += _MAKERS[core.kind](arrays, name, found, width) if core.kind in _MAKERS else []
        elif core.kind in RECURRENT:
            parts.append(layer(name, arrays, found.label, choice, []))
            if _drops_time(found):
                parts.append(last_step(f"{name}_last", found, choice.batch_first))
        elif core.kind in POOLED:
            parts += pooled(name, found, width, choice.batch_first)
        else:
            parts.append(convolved(arrays, name, found, choice.batch_first))
            parts += _activated(f"{name}_activation", found)
    return parts


def _embedding(arrays: Arrays, name: str, found: KerasLayer, before: BuiltPart | None) -> list[BuiltPart]:
    return [replace(embedding(arrays, found.label), name=name)]


def _dense(arrays: Arrays, name: str, found: KerasLayer, before: BuiltPart | None) -> list[BuiltPart]:
    made = replace(output(arrays, found.label, before), name=name)
    return [made, *_activated(f"{name}_activation", found)]


def _activated(name: str, found: KerasLayer) -> list[BuiltPart]:
    """The activation of a layer as a part of its own; none where it is linear."""
    word = found.core.activation("activation", "linear")
    return [] if word == "linear" else [BuiltPart(name, _ACTIVATIONS[word], {}, found.name, word)]


def _activation(arrays: Arrays, name: str, found: KerasLayer, before: BuiltPart | None) -> list[BuiltPart]:
    return _activated(name, found)


def _layer_norm(arrays: Arrays, name: str, found: KerasLayer, before: BuiltPart | None) -> list[BuiltPart]:
    settings = found.core.settings
    roles = [role for role, flag in (("gamma", "scale"), ("beta", "center")) if settings.get(flag, True)]
    weights = LayerWeights(arrays, LayerNames(arrays).of(found, ()))
    given = dict(zip(roles, weights.take(*roles) if roles else (), strict=True))
    width = next((array.shape for array in given.values()), None if before is None else features(before.part)[1:])
    if width is None or len(width) != 1 or width[0] is None or any(array.shape != width for array in given.values()):
        shapes = ", ".join(f"{role} {array.shape}" for role, array in given.items())
        raise RecurraError(f"{found.name[:60]}: vectors of one size are needed; got {shapes or 'none'}")
    gamma, beta = (given.get(role, fill(width, np.float32)) for role, fill in (("gamma", np.ones), ("beta", np.zeros)))
    eps = settings.get("epsilon", 1e-3)
    own: dict[str, Setting] = {"features": width[0], "eps": eps, "elementwise_affine": True, "bias": True}
    text = f"layer norm {', '.join(weights.names.values())} {width}"
    return [BuiltPart(name, Part("LayerNorm", own), {"weight": gamma, "bias": beta}, found.name, text)]


PartMaker = Callable[[Arrays, str, KerasLayer, "BuiltPart | None"], "list[BuiltPart]"]
_MAKERS: Mapping[str, PartMaker] = {
    "Embedding": _embedding,
    "Dense": _dense,
    "Activation": _activation,
    "LayerNormalization": _layer_norm,
}
