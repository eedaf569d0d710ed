"""The configuration of a forecasting run: its settings, what is said of the table, and the table's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from recurra.errors import RunError
from recurra.model.file import CONFIG
from recurra.tasks.run import RunFolder
from recurra.tasks.series.models import MODELS, AnySettings
from recurra.tasks.series.table_settings import TableSettings, read_table_settings
from recurra.tasks.sources import Source, plain_source, read_source, size_of
from recurra.tasks.stored_settings import read_settings, read_training, training_content

TASK = "series"


def config_of(settings: AnySettings, table: TableSettings, source: Source | None) -> dict[str, object]:
    """The content of config.json as :func:`read_config` reads it.

    Args:
        settings: the settings of networks and training.
        table: what was said about the table.
        source: the table's file; None if it was no file, so that the run cannot be resumed.
    """
    series = asdict(settings)
    series.pop("training")
    return {
        "task": TASK,
        "model": settings.model,
        "series": series,
        "training": training_content(settings.training),
        "table": table.to_content(),
        "data": None if source is None else source.content(),
    }


def read_config(run: RunFolder) -> tuple[AnySettings, TableSettings, Source | None]:
    """Read what :func:`config_of` wrote.

    Raises:
        RunError: a field is missing, of the wrong type or out of range.
    """
    config: Mapping[str, object] = run.config
    try:
        training = read_training(config.get("training"))
        kind = _kind(config.get("model"))
        settings: AnySettings = read_settings("series", kind, config.get("series"), training=training)
        settings.check()
        data = config.get("data")
        return settings, read_table_settings(config.get("table")), None if data is None else read_source(data)
    except RunError as error:
        raise RunError(f"{run.folder / CONFIG} is damaged: {error}") from None


def _kind(model: object) -> type[AnySettings]:
    """The class of a model's settings."""
    if not isinstance(model, str) or model not in MODELS:
        raise RunError(f"'model' must be one of {', '.join(MODELS)}")
    return MODELS[model]


def check_source(source: Source | None, folder: object) -> Source:
    """The file of a run's table, if it is still the one that the run was trained on.

    Raises:
        RunError: there was none, or it is missing or has changed.
    """
    if source is None:
        raise RunError(f"{folder} was trained on a frame and not on a file: name a table")
    if size_of(source.path) != source.size or plain_source(source.path).sha256 != source.sha256:
        raise RunError(f"{source.path} has changed since {folder} was trained on it: name the table to use")
    return source
