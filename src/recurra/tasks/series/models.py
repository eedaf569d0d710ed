"""The models that forecast tables, by name, and their settings from what a user says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from recurra.errors import RunError
from recurra.tasks import checks
from recurra.tasks.series.autoregressive.settings import AutoregressiveSettings
from recurra.tasks.series.settings import SeriesSettings

AnySettings = SeriesSettings | AutoregressiveSettings
MODELS: Mapping[str, type[AnySettings]] = {each.model: each for each in (SeriesSettings, AutoregressiveSettings)}


def make_settings(
    horizon: int,
    model: str = SeriesSettings.model,
    *,
    likelihood: str | None = None,
    cell: str | None = None,
    hidden: int | None = None,
    members: int | None = None,
    steps: int | None = None,
    seed: int = SeriesSettings.seed,
    minutes: float | None = None,
) -> AnySettings:
    """The settings of a model, which are its own defaults where nothing is said.

    Args:
        horizon: the steps to forecast.
        model: the name of a model, of ``MODELS``.
        likelihood: the distribution of a value, which the autoregressive model alone has. Default: by the data.
        cell: the name of a cell of the zoo. Default: the model's.
        hidden: the units of each network. Default: the model's.
        members: the networks, of which the direct model alone has several. Default: 5.
        steps: the updates of the direct model. Default: by the data.
        seed: the seed of all random numbers.
        minutes: training stops after so long. Default: no limit.

    Raises:
        RunError: there is no such model, an option is not of this model, or a setting is out of range.
    """
    checks.one_of("--model", model, tuple(MODELS))
    given = {"likelihood": likelihood, "cell": cell, "hidden": hidden, "members": members, "steps": steps}
    said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    for name in said:
        owners = [other for other, settings in MODELS.items() if name in settings.__dataclass_fields__]
        if model not in owners:
            raise RunError(f"--{name} is of --model {' or '.join(owners)}: leave it out, or choose that")
    settings = MODELS[model](horizon, seed=seed, **said)
    settings = replace(settings, training=replace(settings.training, minutes=minutes))
    settings.check()
    return settings
