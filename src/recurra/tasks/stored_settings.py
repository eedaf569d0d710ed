"""Settings of dataclasses as config.json holds them, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from typing import TYPE_CHECKING, Any, TypeVar

from recurra.errors import RunError
from recurra.tasks.training.settings import TrainingSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# JSON has no infinity: null stands for it here.
_INFINITE = ("clip", "clip_value")
S = TypeVar("S", bound="DataclassInstance")


def training_content(settings: TrainingSettings) -> dict[str, object]:
    """The settings of a training as :func:`read_training` reads them, with the rate that it begins with."""
    content: dict[str, Any] = {**asdict(settings), "lr": settings.rate}
    return {name: None if name in _INFINITE and math.isinf(value) else value for name, value in content.items()}


def read_training(content: object) -> TrainingSettings:
    """Read the settings of a training; they are not checked yet.

    Raises:
        RunError: a field is missing or of the wrong type.
    """
    if isinstance(content, dict):
        content = {**content, **{name: math.inf for name in _INFINITE if content.get(name, 0) is None}}
    return read_settings("training", TrainingSettings, content)


def read_settings(
    name: str, kind: type[S], content: object, *, added: Mapping[str, object] | None = None, **inner: Any
) -> S:
    """Read a dataclass of settings; they are not checked yet.

    Args:
        name: the name of the object in config.json.
        kind: the dataclass.
        content: what config.json holds.
        added: the fields that runs of older versions lack, with what these versions did. Default: none.
        inner: the fields that lie elsewhere in config.json, and are read already.

    Raises:
        RunError: a field is missing, or no truth value where one is needed.
    """
    if isinstance(content, dict):
        content = {**(added or {}), **content}
    known = {each.name for each in fields(kind)} - set(inner)
    if not isinstance(content, dict) or set(content) != known:
        raise RunError(f"{name!r} must hold {', '.join(sorted(known))}")
    _check_flags(name, kind, content)
    listed = {key: tuple(value) for key, value in content.items() if isinstance(value, list)}
    return kind(**{**content, **listed}, **inner)


def _check_flags(name: str, kind: type[Any], content: Mapping[str, object]) -> None:
    for each in fields(kind):
        if each.default is not MISSING and isinstance(each.default, bool) and type(content[each.name]) is not bool:
            raise RunError(f"{each.name!r} of {name!r} must be true or false")
