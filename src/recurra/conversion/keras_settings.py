"""What the configuration of a model of Keras says of a recurrent layer, beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recurra.cells import gru, gru_reset_before, rnn
from recurra.conversion.keras_config import KerasLayer
from recurra.equations import Cell
from recurra.errors import RecurraError
from recurra.model.arrangement import MERGE_MODES

RECURRENT = ("SimpleRNN", "LSTM", "GRU", "CuDNNLSTM", "CuDNNGRU")


@dataclass(frozen=True)
class Told:
    """What a configuration says of a layer.

    Attributes:
        cell: the cell; None where the weights tell it.
        options: values for the cell's options. Default none.
    """

    cell: Cell | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def cell_told(found: KerasLayer) -> Told:
    """The cell of a recurrent layer, and its options.

    Raises:
        RecurraError: the layer computes something that no cell of the zoo does.
    """
    core = found.core
    activation, recurrent = core.activation("activation", "tanh"), core.activation("recurrent_activation", "sigmoid")
    if core.kind == "SimpleRNN" and activation in ("tanh", "relu"):
        return Told(rnn, {"nonlinearity": activation})
    if activation != "tanh" or recurrent != "sigmoid":
        which = f"activation={activation!r}" if activation != "tanh" else f"recurrent_activation={recurrent!r}"
        raise RecurraError(
            f"{found.name[:60]} has {which}, which no {core.kind} has here: write the cell and give it as cell=, with "
            "names= for the layers that have it (docs/convert.md, Keras)"
        )
    if core.kind == "GRU":
        return Told(gru if core.settings.get("reset_after") is True else gru_reset_before)
    return Told()


def merge_told(found: KerasLayer) -> str:
    """How both directions of a layer make one output.

    Raises:
        RecurraError: they make two.
    """
    given = found.settings.get("merge_mode", "concat") if found.kind == "Bidirectional" else "concat"
    if given not in MERGE_MODES:
        raise RecurraError(f"{found.name[:60]} gives the outputs of both directions one by one: say merge_mode=")
    return str(given)


def differences(found: KerasLayer) -> list[str]:
    """What a layer does in Keras and does not here, a text each."""
    settings, name = found.core.settings, found.name[:60]
    notes = []
    if found.kind != "Bidirectional" and settings.get("go_backwards") is True:
        notes.append(f"{name} has go_backwards=True: reverse its input")
    if settings.get("return_sequences") is not True:
        notes.append(f"{name} has return_sequences=False, and gives all steps here")
    return notes
