"""Small models of Keras with branches, masks and windows, as files: inputs that mutation begins with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fuzz.foreign import hdf5, zipped

Layer = tuple[str, Mapping[str, Any], Any]  # the class, the settings, the arguments: names of layers and values


def networks() -> Iterator[bytes]:
    """The models as .keras files."""
    draw = np.random.default_rng(0)
    for layers, outputs, shapes in (_windows(), _sequences(), _operations()):
        config = _config(layers, outputs)
        arrays = {name: draw.uniform(0.1, 1, shape).astype("f4") for name, shape in shapes.items()}
        members = {"config.json": json.dumps(config).encode(), "model.weights.h5": hdf5(_grouped(arrays), {})}
        yield zipped({**members, "metadata.json": b'{"keras_version": "3.15.1"}'})


def _grouped(arrays: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays with a group around every four layers, as the groups of these files have no more members."""
    owners = list(dict.fromkeys(name.partition("/")[0] for name in arrays))
    return {f"g{owners.index(name.partition('/')[0]) // 4}/{name}": array for name, array in arrays.items()}


def _config(layers: Mapping[str, Layer], outputs: list[str]) -> dict[str, Any]:
    """The configuration of a functional model, in the form of Keras 3."""
    content = []
    for name, (kind, settings, arguments) in layers.items():
        calls = [] if arguments is None else [{"args": _places(arguments, layers), "kwargs": {}}]
        content.append({"class_name": kind, "name": name, "config": {"name": name, **settings}, "inbound_nodes": calls})
    inputs = [[name, 0, 0] for name, (kind, _, _) in layers.items() if kind == "InputLayer"]
    inside = {"name": "model", "layers": content, "input_layers": inputs,
              "output_layers": [[name, 0, 0] for name in outputs]}  # fmt: skip
    return {"class_name": "Functional", "config": inside}


def _places(arguments: Any, layers: Mapping[str, Layer]) -> Any:
    """Arguments with tensors in the place of the names of layers; a number behind a name is that of an output."""
    if isinstance(arguments, list):
        return [_places(each, layers) for each in arguments]
    if isinstance(arguments, str):
        name, _, number = arguments.partition(":")
        if name in layers:
            history = {"keras_history": [name, 0, int(number or 0)]}
            return {"class_name": "__keras_tensor__", "config": history}
    return arguments


def _windows() -> tuple[dict[str, Layer], list[str], dict[str, tuple[int, ...]]]:
    layers: dict[str, Layer] = {
        "x": ("InputLayer", {"batch_shape": [None, 12, 4]}, None),
        "zeros": ("ZeroPadding1D", {"padding": [1, 2]}, ["x"]),
        "conv": ("Conv1D", {"strides": [2], "padding": "same", "activation": "relu"}, ["zeros"]),
        "causal": ("Conv1D", {"dilation_rate": [2], "padding": "causal", "groups": 3}, ["conv"]),
        "norm": ("BatchNormalization", {"axis": -1, "epsilon": 0.001}, ["causal"]),
        "sum": ("Add", {}, [["conv", "norm"]]),
        "each": ("DepthwiseConv1D", {"padding": "valid"}, ["sum"]),
        "point": ("SeparableConv1D", {"padding": "same", "activation": "elu"}, ["each"]),
        "turned": ("Conv1DTranspose", {"strides": [2], "padding": "same"}, ["point"]),
        "crop": ("Cropping1D", {"cropping": [1, 1]}, ["turned"]),
        "up": ("UpSampling1D", {"size": 2}, ["crop"]),
        "largest": ("MaxPooling1D", {"pool_size": [3], "strides": [2], "padding": "same"}, ["up"]),
        "mean": ("AveragePooling1D", {"pool_size": [2], "padding": "valid"}, ["largest"]),
        "slope": ("PReLU", {"shared_axes": [1]}, ["mean"]),
        "swap": ("Permute", {"dims": [2, 1]}, ["slope"]),
        "flat": ("Flatten", {}, ["swap"]),
        "dense": ("Dense", {"activation": "softmax"}, ["flat"]),
        "form": ("Reshape", {"target_shape": [2, -1]}, ["dense"]),
        "unit": ("UnitNormalization", {"axis": -1}, ["form"]),
        "all": ("GlobalMaxPooling1D", {"keepdims": True}, ["unit"]),
    }
    shapes = {
        "conv/kernel": (3, 4, 6), "conv/bias": (6,), "causal/kernel": (3, 2, 6), "causal/bias": (6,),
        "norm/gamma": (6,), "norm/beta": (6,), "norm/moving_mean": (6,), "norm/moving_variance": (6,),
        "each/kernel": (2, 6, 1), "each/bias": (6,), "point/depthwise_kernel": (2, 6, 1),
        "point/pointwise_kernel": (1, 6, 3), "point/bias": (3,), "turned/kernel": (3, 2, 3), "turned/bias": (2,),
        "slope/alpha": (1, 2), "dense/kernel": (12, 4), "dense/bias": (4,),
    }  # fmt: skip
    return layers, ["all", "dense"], shapes


def _sequences() -> tuple[dict[str, Layer], list[str], dict[str, tuple[int, ...]]]:
    layers: dict[str, Layer] = {
        "a": ("InputLayer", {"batch_shape": [None, None]}, None),
        "b": ("InputLayer", {"batch_shape": [None, None]}, None),
        "words": ("Embedding", {"mask_zero": True}, ["a"]),
        "said": ("Embedding", {"mask_zero": False}, ["b"]),
        "encoder": ("LSTM", {"return_sequences": True, "return_state": True}, ["words"]),
        "decoder": ("LSTM", {"return_sequences": True}, ["said", ["encoder:1", "encoder:2"]]),
        "both": ("Bidirectional", {"merge_mode": "concat", "layer": {"class_name": "GRU", "config": {
            "name": "gru", "return_sequences": True, "reset_after": True}}}, ["encoder"]),
        "dot": ("Attention", {"use_scale": False}, [["both", "both"]]),
        "added": ("AdditiveAttention", {"use_scale": True}, [["both", "dot"]]),
        "heads": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 1}, ["both", "added"]),
        "last": ("RNN", {"cell": {"class_name": "SimpleRNNCell", "config": {"name": "own"}}}, ["heads"]),
        "joined": ("Concatenate", {"axis": -1}, [["heads", "both"]]),
        "mean": ("GlobalAveragePooling1D", {}, ["joined"]),
        "product": ("Dot", {"axes": 1, "normalize": True}, [["last", "last"]]),
    }  # fmt: skip
    lstm = {"kernel": (2, 8), "recurrent_kernel": (2, 8), "bias": (8,)}
    gru = {"kernel": (2, 6), "recurrent_kernel": (2, 6), "bias": (2, 6)}
    shapes: dict[str, tuple[int, ...]] = {"words/embeddings": (3, 2), "said/embeddings": (3, 2), "added/scale": (4,)}
    shapes |= {f"{name}/{role}": shape for name in ("encoder", "decoder") for role, shape in lstm.items()}
    shapes |= {f"both/{way}_gru/{role}": shape for way in ("forward", "backward") for role, shape in gru.items()}
    for part in ("query", "key", "value"):
        shapes |= {f"heads/{part}/kernel": (4, 2, 1), f"heads/{part}/bias": (2, 1)}
    shapes |= {"heads/attention_output/kernel": (2, 1, 4), "heads/attention_output/bias": (4,)}
    shapes |= {"last/kernel": (4, 2), "last/recurrent_kernel": (2, 2), "last/bias": (2,)}
    return layers, ["decoder", "mean", "product"], shapes


def _operations() -> tuple[dict[str, Layer], list[str], dict[str, tuple[int, ...]]]:
    whole = {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": None}}
    back = {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": -1}}
    inner = _config({
        "y": ("InputLayer", {"batch_shape": [None, 3]}, None), "out": ("Dense", {"activation": "tanh"}, ["y"]),
    }, ["out"])  # fmt: skip
    layers: dict[str, Layer] = {
        "x": ("InputLayer", {"batch_shape": [None, 5, 3]}, None),
        "seen": ("NotEqual", {}, ["x", 0.0]),
        "any": ("Any", {"axis": -1}, ["seen"]),
        "masking": ("Masking", {"mask_value": 0.0}, ["x"]),
        "gru": ("GRU", {"return_sequences": True, "go_backwards": True, "reset_after": False}, ["masking"]),
        "steps": ("TimeDistributed", {"layer": {"class_name": "Conv1D", "config": {"name": "c"}}}, ["wide"]),
        "wide": ("ExpandDims", {"axis": -1}, ["gru"]),
        "turned": ("GetItem", {}, ["gru", [whole, back]]),
        "last": ("GetItem", {}, ["turned", [whole, -1]]),
        "more": ("Multiply", {}, ["last", 2.0]),
        "less": ("Subtract", {}, [["more", "last"]]),
        "again": ("RepeatVector", {"n": 3}, ["less"]),
        "norm": ("LayerNormalization", {"axis": [-1]}, ["again"]),
        "total": ("Sum", {"axis": 1, "keepdims": False}, ["norm"]),
        "model": ("Functional", inner["config"], ["total"]),
        "leaky": ("LeakyReLU", {"negative_slope": 0.1}, ["model"]),
    }
    shapes = {
        "gru/kernel": (3, 9), "gru/recurrent_kernel": (3, 9), "gru/bias": (9,), "norm/gamma": (3,), "norm/beta": (3,),
        "steps/kernel": (1, 1, 2), "steps/bias": (2,), "model/out/kernel": (3, 2), "model/out/bias": (2,),
    }  # fmt: skip
    return layers, ["leaky", "steps", "any"], shapes
