"""Trained models without torch: numpy and the native module alone."""

from typing import TYPE_CHECKING

from recurra.errors import FileFormatError
from recurra.runtime.convert import convert
from recurra.runtime.model import Model, load
from recurra.runtime.scoring import Score, score
from recurra.runtime.stream import Stream
from recurra.runtime.streams import Streams
from recurra.runtime.writing import Continuation, sample

if TYPE_CHECKING:  # imported on first use
    from recurra.graph.model import GraphModel
    from recurra.graph.stream import GraphStream
    from recurra.runtime.forecasting import (
        AutoregressiveModel,
        ForecastModel,
        ForecastStream,
        StreamForecast,
        load_forecaster,
    )

__all__ = [
    "AutoregressiveModel",
    "Continuation",
    "FileFormatError",
    "ForecastModel",
    "ForecastStream",
    "GraphModel",
    "GraphStream",
    "Model",
    "Score",
    "Stream",
    "StreamForecast",
    "Streams",
    "convert",
    "load",
    "load_forecaster",
    "sample",
    "score",
]


def __getattr__(name: str) -> object:
    """Import on first use: time series and graphs take time that other models do not need."""
    if name not in __all__:
        raise AttributeError(f"module 'recurra.runtime' has no attribute {name!r}")
    import importlib

    places = {"GraphModel": "recurra.graph.model", "GraphStream": "recurra.graph.stream"}
    return getattr(importlib.import_module(places.get(name, "recurra.runtime.forecasting")), name)
