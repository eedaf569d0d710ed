"""Models built from parts and random weights, without torch."""

import numpy as np

from recurra import cells
from recurra.compiler import drop_biases, trace
from recurra.model import Description, Part, Weight, weights_of
from recurra.runtime import Model


def layer(cell, input_size, hidden_size, *, kind="Recurrent", **settings):
    given = {
        "num_layers": 1,
        "bias": True,
        "batch_first": False,
        "dropout": 0.0,
        "bidirectional": False,
        "proj_size": 0,
        "init": {},
        **settings,
    }
    program = trace(cell, projected=given["proj_size"] > 0)
    if not given["bias"]:
        program = drop_biases(program)
    return Part(kind, {"input_size": input_size, "hidden_size": hidden_size, "program": program, **given})


def cell_part(cell, input_size, hidden_size):
    sizes = {"input_size": input_size, "hidden_size": hidden_size, "bias": True, "init": {}}
    return Part("RecurrentCell", {**sizes, "program": trace(cell)})


def lstm(input_size, hidden_size, **settings):
    return layer(cells.lstm, input_size, hidden_size, kind="LSTM", **settings)


def linear(in_features, out_features, bias=True):
    return Part("Linear", {"in_features": in_features, "out_features": out_features, "bias": bias})


def embedding(tokens, features):
    return Part("Embedding", {"num_embeddings": tokens, "embedding_dim": features, "padding_idx": None})


def stack(*parts):
    return Part("Stack", {}, tuple((str(number), part) for number, part in enumerate(parts)))


def described(root, seed=0, dtype=np.float32):
    random = np.random.default_rng(seed)
    weights = {
        name: Weight.of((random.standard_normal(shape) * 0.4).astype(dtype)) for name, shape in weights_of(root).items()
    }
    return Description(root, weights)


def model(root, seed=0, dtype=np.float32):
    return Model(described(root, seed, dtype))


def language_model(tokens=11, features=6, hidden=9, layers=2):
    return stack(embedding(tokens, features), lstm(features, hidden, num_layers=layers), linear(hidden, tokens))


def same(a, b):
    """Whether results are equal to the bit, shapes included; states may be nested."""
    if isinstance(a, tuple) or isinstance(b, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
