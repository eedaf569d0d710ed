"""A recurrent layer's settings in the configuration of a model of Keras, beside its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from recurra import equations
from recurra.cells import gru, gru_reset_before, lstm, rnn
from recurra.conversion.keras_config import KerasLayer
from recurra.equations import Cell
from recurra.errors import RecurraError
from recurra.model.arrangement import MERGE_MODES

_ACTIVATIONS = (("activation", "tanh"), ("recurrent_activation", "sigmoid"))  # settings, and what they usually are
RECURRENT = ("SimpleRNN", "LSTM", "GRU", "CuDNNLSTM", "CuDNNGRU")


@dataclass(frozen=True)
class Told:
    """A layer's settings in a configuration.

    Attributes:
        cell: the cell; None where the weights tell it.
        options: values for the cell's options. Default none.
    """

    cell: Cell | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def _linear(x: Any) -> Any:
    return x


def _softsign(x: Any) -> Any:
    return x / (1.0 + equations.abs(x))


def _elu(x: Any) -> Any:
    return equations.where(x > 0.0, x, equations.exp(equations.minimum(x, 0.0)) - 1.0)


def _silu(x: Any) -> Any:
    return x * equations.sigmoid(x)


def _older_hard_sigmoid(x: Any) -> Any:
    return equations.hard_sigmoid(x, 0.2)


# Activations by Keras' names without underscores.
_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "tanh": equations.tanh, "sigmoid": equations.sigmoid, "relu": equations.relu, "linear": _linear,
    "hardsigmoid": equations.hard_sigmoid, "softplus": equations.softplus, "softsign": _softsign, "elu": _elu,
    "gelu": equations.gelu, "silu": _silu, "swish": _silu, "exponential": equations.exp,
}  # fmt: skip


def cell_told(found: KerasLayer) -> Told:
    """The cell of a recurrent layer, and its options.

    Raises:
        RecurraError: the layer has an activation that is not known.
    """
    core = found.core
    activation, recurrent = (_function(found, *each) for each in _ACTIVATIONS)
    if core.kind == "SimpleRNN":
        return Told(rnn, {"nonlinearity": activation})
    options = {"activation": activation, "recurrent_activation": recurrent}
    if core.kind in ("LSTM", "CuDNNLSTM"):
        return Told(lstm, options)
    resets_after = core.settings.get("reset_after") is True or core.kind == "CuDNNGRU"
    return Told(gru if resets_after else gru_reset_before, options)


def _function(found: KerasLayer, setting: str, usual: str) -> Callable[[Any], Any]:
    word = found.core.activation(setting, usual)
    if word not in _FUNCTIONS:
        raise RecurraError(
            f"{found.name[:60]} has {setting}={word!r}; known are {', '.join(_FUNCTIONS)}. For another one write the "
            "cell and give it as cell=, with names= for the layers that have it"
        )
    return _older_hard_sigmoid if word == "hardsigmoid" and found.core.is_older else _FUNCTIONS[word]


def merge_told(found: KerasLayer) -> str:
    """The way in which both directions of a layer make one output.

    Raises:
        RecurraError: they make two.
    """
    given = found.settings.get("merge_mode", "concat") if found.kind == "Bidirectional" else "concat"
    if given not in MERGE_MODES:
        raise RecurraError(f"{found.name[:60]} gives the outputs of both directions one by one: say merge_mode=")
    return str(given)


def differences(found: KerasLayer) -> list[str]:
    """The things that a layer does in Keras and not here, a text each."""
    settings, name = found.core.settings, found.name[:60]
    notes = []
    if found.kind != "Bidirectional" and settings.get("go_backwards") is True:
        notes.append(f"{name} has go_backwards=True: reverse its input")
    if settings.get("return_sequences") is not True:
        notes.append(f"{name} has return_sequences=False, and gives all steps here")
    return notes
