"""The options of `recurra text train` as settings, and the comparison of options with a run's settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from recurra.errors import RunError
from recurra.tasks.text.settings import ModelSettings, TextSettings
from recurra.tasks.training.settings import TrainingSettings

# Options whose names are not those of their settings.
RENAMED = {"eval_every": "evaluate_every"}


def settings_of(options: Mapping[str, Any]) -> TextSettings:
    """The settings that options give, by the names of the options' parameters; others are ignored.

    Raises:
        RunError: --cutoffs is no list of whole numbers.
    """
    named = {RENAMED.get(name, name): value for name, value in options.items()}
    if "cutoffs" in named:
        named["cutoffs"] = _numbers("--cutoffs", named["cutoffs"])
    model = ModelSettings(**_chosen(ModelSettings, named))
    training = TrainingSettings(**_chosen(TrainingSettings, named))
    return TextSettings(**_chosen(TextSettings, named), model=model, training=training)


def refuse_contradictions(options: Mapping[str, Any], settings: TextSettings) -> None:
    """Refuse options that were given, and are not those of a run that is to go on.

    Args:
        options: the given options, by the names of their parameters.
        settings: the run's settings.

    Raises:
        RunError: an option contradicts the run; the message names both values.
    """
    asked = settings_of(options)
    for name in options:
        field = RENAMED.get(name, name)
        for ours, theirs in ((asked, settings), (asked.model, settings.model), (asked.training, settings.training)):
            if hasattr(ours, field) and getattr(ours, field) != getattr(theirs, field):
                option = f"--{name.replace('_', '-')}"
                values = f"it is {getattr(theirs, field)} there, not {getattr(ours, field)}"
                raise RunError(f"{option} contradicts the run, which goes on with its own settings: {values}")


def _chosen(kind: type[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    known = {field.name for field in dataclasses.fields(kind)}
    return {name: value for name, value in named.items() if name in known}


def _numbers(option: str, text: str | None) -> tuple[int, ...]:
    if not text:
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise RunError(f"{option} must be whole numbers with commas between them; got {text!r}") from None
