"""Forecasters without torch: forecasts of panels of time series, and streams of one series."""

from recurra.runtime.forecasting.autoregressive import AutoregressiveModel
from recurra.runtime.forecasting.loading import AnyForecaster, forecaster_of, load_forecaster
from recurra.runtime.forecasting.model import ForecastModel
from recurra.runtime.forecasting.stream import ForecastStream, StreamForecast

__all__ = [
    "AnyForecaster",
    "AutoregressiveModel",
    "ForecastModel",
    "ForecastStream",
    "StreamForecast",
    "forecaster_of",
    "load_forecaster",
]
