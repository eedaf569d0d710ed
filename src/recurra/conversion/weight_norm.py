"""Weights that torch's weight normalisation stores as a length and a direction, multiplied out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from recurra.errors import RecurraError

Array = np.ndarray[Any, np.dtype[Any]]

# Names of lengths, and for each of them those of the direction and of the weight: of torch.nn.utils.weight_norm, and of
# torch.nn.utils.parametrizations.weight_norm.
_NAMES = (
    (re.compile(r"(.*)_g", re.S), r"\1_v", r"\1"),
    (re.compile(r"(.*?)parametrizations\.([^.]+)\.original0", re.S), r"\1parametrizations.\2.original1", r"\1\2"),
)


class Normalised(NamedTuple):
    """The names of the arrays that a weight is the product of.

    Attributes:
        length: the name of the lengths, g.
        direction: the name of the directions, v.
    """

    length: str
    direction: str


def normalised(names: Iterable[str]) -> dict[str, Normalised]:
    """The weights that are stored as a length and a direction, by their own names."""
    known = set(names)
    found: dict[str, Normalised] = {}
    for name in known:
        for pattern, direction, weight in _NAMES:
            match = pattern.fullmatch(name)
            if match is not None and match.expand(direction) in known and match.expand(weight) not in known:
                found[match.expand(weight)] = Normalised(name, match.expand(direction))
    return dict(sorted(found.items()))


def multiplied(name: str, length: Array, direction: Array) -> Array:
    """The weight g * v / |v| (Salimans & Kingma 2016, eq. 2), with a norm along each dimension in which g has size 1.

    Args:
        name: the weight's name, for messages.
        length: g; a single number, or of as many dimensions as v.
        direction: v.

    Raises:
        RecurraError: the shapes do not fit.
    """
    fits = length.ndim == 0 or length.ndim == direction.ndim
    if not fits or any(size not in (1, whole) for size, whole in zip(length.shape, direction.shape, strict=False)):
        raise RecurraError(f"{name[:100]} is weight-normalised: lengths {length.shape} do not fit {direction.shape}")
    axes = tuple(axis for axis in range(direction.ndim) if length.ndim == 0 or length.shape[axis] == 1)
    wide = direction.astype(np.float64)
    norm = np.sqrt(np.sum(wide * wide, axes, keepdims=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(wide * (length / norm), np.result_type(length, direction))
