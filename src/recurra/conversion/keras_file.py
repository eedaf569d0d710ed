"""A reader of Keras' files (.keras, .weights.h5, .h5) without Keras and h5py: arrays by name, and the configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from zipfile import ZipFile

import numpy as np

from recurra.conversion.archive import whole
from recurra.conversion.hdf5.groups import Hdf5Group, read_hdf5
from recurra.conversion.keras_config import NUMBERED, VERSION
from recurra.conversion.unread import Unread
from recurra.errors import FileFormatError

Array = np.ndarray[Any, np.dtype[Any]]
KerasContent = tuple[dict[str, "Array | Unread"], list[str], Any]  # arrays, what was skipped, the model's configuration

_CONFIG, _WEIGHTS, _FACTS = "config.json", "model.weights.h5", "metadata.json"  # members of a .keras file
_MODEL = "model_weights"  # the group of the weights in .h5 files of whole models
_VARIABLES = "vars"  # the groups of arrays in files of Keras 3, whose names are numbers
_SKIPPED = ("optimizer", "optimizer_weights")
_NAMELESS = ("layers", "_layers")  # groups that stand for lists of layers
_RECURRENT = ("kernel", "recurrent_kernel", "bias")


def is_keras_zip(archive: ZipFile) -> bool:
    """Whether an archive is a .keras file, by the names of its members."""
    return {_CONFIG, _WEIGHTS} <= set(archive.namelist())


def read_keras_zip(archive: ZipFile) -> KerasContent:
    """Read a .keras file: its arrays by name, what was skipped, and the model's configuration as JSON.

    Raises:
        FileFormatError: the file is damaged, or has a form that is not read.
    """
    root = read_hdf5(whole(archive, _WEIGHTS))
    arrays, skipped, _ = _content(root)
    facts = _json(whole(archive, _FACTS)) if _FACTS in archive.namelist() else None
    version = facts.get(VERSION) if isinstance(facts, dict) else None
    config = _configuration(whole(archive, _CONFIG), version)
    return arrays, skipped, {**config, NUMBERED: not _has_names(root)} if isinstance(config, dict) else config


def read_keras_h5(data: bytes) -> KerasContent:
    """Read an .h5 file: its arrays by name, what was skipped, and the model's configuration if there is one.

    The names are the paths in the file. In files of Keras 3, whose arrays are numbered, they are the names of the
    layers and the roles of the arrays, such as ``bidirectional/forward_lstm/lstm_cell/kernel``. Files that Keras did
    not write are read too.

    Raises:
        FileFormatError: the file is damaged, or has a form that is not read.
    """
    return _content(read_hdf5(data))


def _has_names(group: Hdf5Group) -> bool:
    """Tell whether any arrays of a file have the name of their layer beside them."""
    inside = [member for member in group.members.values() if isinstance(member, Hdf5Group)]
    variables = group.members.get(_VARIABLES)
    is_named = isinstance(variables, Hdf5Group) and "name" in variables.texts
    return is_named or any(map(_has_names, inside))


def _content(root: Hdf5Group) -> KerasContent:
    skipped = [name for name in _SKIPPED if isinstance(root.members.pop(name, None), Hdf5Group)]
    text = root.texts.get("model_config")
    config = None if text is None else _configuration(text, root.texts.get(VERSION))
    inside = root.members.get(_MODEL)
    arrays: dict[str, Array | Unread] = {}
    for name, array in _named(inside if isinstance(inside, Hdf5Group) else root, ()):
        if name in arrays:
            raise FileFormatError(f"two arrays have the name {name[:100]}: two layers have the same name")
        arrays[name] = array
    if not arrays:
        raise FileFormatError("it holds no arrays")
    return arrays, skipped, config


def _configuration(text: str | bytes, version: Any) -> Any:
    """The configuration of a model, with the version of Keras that wrote it."""
    config = _json(text)
    return {**config, VERSION: version} if isinstance(config, dict) else config


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise FileFormatError("the model's configuration is no JSON") from None


def _named(group: Hdf5Group, path: Sequence[str]) -> list[tuple[str, Array | Unread]]:
    """The arrays inside of a group, by name; ``path`` has the names of the groups above, the last one's as stored."""
    found: list[tuple[str, Array | Unread]] = []
    variables = group.members.get(_VARIABLES)
    stored = path[-1] if path else ""  # begins with the layer's class
    if isinstance(variables, Hdf5Group) and path:
        path = [*path[:-1], variables.texts.get("name", path[-1])]
    for name, member in group.members.items():
        if member is variables and isinstance(member, Hdf5Group):
            roles = _roles(stored, member.members)
            found += [("/".join((*path, roles.get(key, key))), own) for key, own in _arrays(member).items()]
        elif isinstance(member, Hdf5Group):
            found += _named(member, path if name in _NAMELESS else [*path, name])
        else:
            found.append(("/".join((*path, name)), member))
    return found


def _arrays(group: Hdf5Group) -> dict[str, Array | Unread]:
    return {name: member for name, member in group.members.items() if not isinstance(member, Hdf5Group)}


def _roles(stored: str, members: Mapping[str, Any]) -> dict[str, str]:
    """The roles of numbered arrays, told by their shapes; those of other layers keep their numbers."""
    ordered = [members[str(number)] for number in range(len(members)) if str(number) in members]
    shapes: list[tuple[int, ...]] = [each.shape if isinstance(each, np.ndarray) else () for each in ordered]
    ranks = [len(shape) for shape in shapes]
    names: Sequence[str] = ()
    if ranks in ([2, 2], [2, 2, 1], [2, 2, 2]) and shapes[0][1] == shapes[1][1]:
        names = _RECURRENT
    elif ranks == [2]:
        names = ("embeddings",) if stored.startswith("embedding") else ("kernel",)
    elif len(ranks) == 2 and ranks[0] > 1 and ranks[1] == 1:
        names = ("kernel", "bias")
    elif ranks == [1, 1]:
        names = ("gamma", "beta")
    return {str(number): name for number, name in enumerate(names)}
