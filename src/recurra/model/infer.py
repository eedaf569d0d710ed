"""Finds the recurrent layer that plain weights belong to, by torch's names and their shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from recurra.cells import gru, lstm, rnn
from recurra.compiler import drop_biases, trace
from recurra.errors import FileFormatError
from recurra.model.description import Description, Weight
from recurra.model.part import Part, Setting

_NAME = re.compile(r"(?P<prefix>(?:.*\.)?)(?:weight|bias)_(?:ih|hh|hr)_l(?P<layer>\d{1,4})(?P<reverse>_reverse)?")
_KINDS = {1: ("RNN", rnn), 3: ("GRU", gru), 4: ("LSTM", lstm)}  # by the number of gates


def infer(weights: Mapping[str, Weight]) -> Description:
    """The model that plain weights are: one RNN (of tanh), LSTM or GRU with torch's names, all behind the same prefix.

    Raises:
        FileFormatError: they are of something else.
    """
    matches = [_NAME.fullmatch(name) for name in weights]
    found = [match for match in matches if match is not None]
    prefixes = {match["prefix"] for match in found}
    if len(found) < len(weights) or len(prefixes) != 1:
        raise FileFormatError(
            "the file has no description of a model, and its weights are not those of one RNN, LSTM or GRU: make the "
            "model that they belong to, and load them into it with recurra.load(path, into=model)"
        )
    [prefix] = prefixes
    bare = {name.removeprefix(prefix): weight for name, weight in weights.items()}
    layers = 1 + max(int(match["layer"]) for match in found)
    bidirectional = any(match["reverse"] for match in found)
    return Description(recurrent_part(bare, layers, bidirectional), bare)


def recurrent_part(weights: Mapping[str, Weight], layers: int, bidirectional: bool) -> Part:
    """The layer whose first run has these weights.

    Raises:
        FileFormatError: a matrix is missing or is none, or the number of gates is no known layer's.
    """
    projected = "weight_hr_l0" in weights
    for name in ("weight_ih_l0", "weight_hh_l0", *(["weight_hr_l0"] if projected else [])):
        if name not in weights or len(weights[name].shape) != 2 or not all(weights[name].shape):
            raise FileFormatError(f"weight {name} is missing, or is no matrix")
    rows, input_size = weights["weight_ih_l0"].shape
    columns = weights["weight_hh_l0"].shape[1]
    hidden_size = weights["weight_hr_l0"].shape[1] if projected else columns
    kind, cell = _KINDS.get(rows // hidden_size if rows % hidden_size == 0 else 0, (None, None))
    if kind is None or cell is None:
        raise FileFormatError(f"weight_ih_l0 has {rows} rows: with hidden_size={hidden_size}, no RNN, LSTM or GRU has")
    bias = "bias_ih_l0" in weights
    program = trace(cell, projected=projected)
    settings: dict[str, Setting] = {
        "input_size": input_size,
        "hidden_size": hidden_size,
        "num_layers": layers,
        "bias": bias,
        "batch_first": False,
        "dropout": 0.0,
        "bidirectional": bidirectional,
        "proj_size": columns if projected else 0,
        "program": program if bias else drop_biases(program),
        "init": {},
    }
    return Part(kind, settings)
