"""Trained forecasters from disk, without torch: a run folder of the series task, or an exported file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recurra.conversion.reading import read
from recurra.errors import FileFormatError, RecurraError, RunError
from recurra.runtime.forecasting import AnyForecaster, forecaster_of
from recurra.series.table_format import TableFormat
from recurra.tasks.run import open_run
from recurra.tasks.series.configuration import TASK


def load_forecast_model(path: Path) -> AnyForecaster:
    """Load a trained forecaster from a run folder or an exported file.

    Args:
        path: the folder or the file.

    Raises:
        RunError: the folder is missing or no run of this task; or the file cannot be read, or holds no forecaster.
    """
    if path.is_file():
        try:
            description = read(path)
        except FileFormatError as error:
            raise RunError(f"not a run folder, and no exported file either: {error}") from None
    else:
        description = open_run(path, TASK).read_model()
    for name, weight in description.weights.items():
        if not np.isfinite(weight.values()).all():
            raise RunError(f"{path} is damaged: weight {name} holds values that are not finite")
    try:
        return forecaster_of(description)
    except RecurraError as error:
        raise RunError(f"{path} holds no forecaster of 'recurra series train': {error}") from None


def form_of(model: AnyForecaster, path: object) -> TableFormat:
    """The meaning of the columns that a forecaster was trained on.

    Args:
        model: the forecaster.
        path: its place, for the message.

    Raises:
        RunError: it was trained on no table.
    """
    if model.recipe.table is None:
        raise RunError(f"{path} was not trained on a table, and does not say what columns mean")
    return model.recipe.table
