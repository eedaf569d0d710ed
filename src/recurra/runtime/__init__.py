"""Trained models without torch: numpy and the native module alone."""

from recurra.errors import FileFormatError
from recurra.runtime.convert import convert
from recurra.runtime.forecasting import ForecastModel, ForecastStream, StreamForecast, load_forecaster
from recurra.runtime.model import Model, load
from recurra.runtime.scoring import Score, score
from recurra.runtime.stream import Stream
from recurra.runtime.streams import Streams
from recurra.runtime.writing import Continuation, sample

__all__ = [
    "Continuation",
    "FileFormatError",
    "ForecastModel",
    "ForecastStream",
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
