"""Forecasters of all kinds, from files and descriptions."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from recurra.model import Description
from recurra.model.file import MODEL
from recurra.model.file_errors import refusing
from recurra.runtime.forecasting.autoregressive import AutoregressiveModel
from recurra.runtime.forecasting.model import ForecastModel

AnyForecaster = ForecastModel | AutoregressiveModel


def load_forecaster(path: str | os.PathLike[str]) -> AnyForecaster:
    """Load the forecaster of a file, or of a folder of a training. Nothing in the file is executed.

    Args:
        path: the file's path, or the folder's.

    Returns:
        A ``ForecastModel``; or an ``AutoregressiveModel``, which draws sample paths too.

    Raises:
        FileFormatError: the file cannot be read, is damaged, exceeds a cap, or holds no forecaster.
    """
    from recurra.conversion.reading import read  # a process that builds forecasters from parts does not need it

    file = Path(path)
    with suppress(OSError, ValueError):  # reading says what is wrong
        file = file / MODEL if file.is_dir() else file
    description = read(file)
    with refusing(file):
        return forecaster_of(description)


def forecaster_of(description: Description) -> AnyForecaster:
    """The forecaster that a description holds, ready to run.

    Raises:
        FileFormatError: it holds none, or one whose networks do not take what its recipe makes of series.
    """
    if "autoregressive" in description.annotations:
        return AutoregressiveModel(description)
    return ForecastModel(description)
