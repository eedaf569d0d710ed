"""A plain state_dict of torch as a model: one RNN (tanh), GRU or LSTM."""

from __future__ import annotations

from collections.abc import Mapping

from recurra.conversion.arrays import Item
from recurra.conversion.layer import torch_layer
from recurra.conversion.names import FoundLayer, find, torch_scheme
from recurra.errors import FileFormatError, RecurraError
from recurra.model import Description, Weight

_SCHEME = torch_scheme(("weight_ih", "weight_hh"), ("bias_ih", "bias_hh", "weight_hr"))


def described(weights: Mapping[str, Weight]) -> Description:
    """The model of plain weights: one layer with torch's names, all behind the same prefix.

    Args:
        weights: the weights, by name; they need not have their numbers yet.

    Raises:
        FileFormatError: the weights belong to something else.
    """
    try:
        found = find("names", weights, None, [_SCHEME])
    except RecurraError:
        found = None
    if found is None or _names(found) != set(weights):
        raise FileFormatError(
            "the file has no description of a model, and its weights are not those of one RNN, LSTM or GRU: make the "
            "model that they belong to, and load them into it with recurra.load(path, into=model)"
        )
    scans = [
        [{role: Item(role, name, weights[name].data) for role, name in roles.items()} for roles in level]
        for level in found.scans
    ]
    try:
        part, items = torch_layer(scans)
    except RecurraError as error:
        raise FileFormatError(str(error)) from None
    return Description(part, {name: weights[item.name] for name, item in items.items()})


def _names(found: FoundLayer) -> set[str]:
    """The names that torch gives to the arrays of a layer."""
    return {
        f"{found.prefix}{role}_l{level}" + "_reverse" * direction
        for level, scans in enumerate(found.scans)
        for direction, roles in enumerate(scans)
        for role in roles
        if found.prefix == "" or found.prefix.endswith(".")
    }
